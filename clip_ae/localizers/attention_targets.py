"""Pseudo-labels of snippets from the attention of a trained network."""

import torch
from torch import Tensor

from clip_ae.core.config.methods import AttentionTargets


def make_attention_targets(attention: Tensor, mask: Tensor, rule: AttentionTargets) -> Tensor:
    """G [B, T] of attention [B, T]: 1 where it is above its mean over the real snippets of the video (`mean`), above
    0.5 (`half`), or the attention itself (`soft`).
    """
    if rule == "soft":
        return attention
    mean = (attention * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return (attention > (mean if rule == "mean" else torch.full_like(mean, 0.5))).to(attention.dtype)
