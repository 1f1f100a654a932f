"""Attention is pushed apart (TSCN, ECCV 2020, attention normalization): some snippets high, some low."""

import torch
from torch import Tensor


def attention_norm_loss(attention: Tensor, mask: Tensor) -> Tensor:
    """mean_b [ mean(bottom-l of a) - mean(top-l of a) ] over the real snippets, l = max(1, T_b // 8); both [B, T]."""
    real = mask.sum(dim=1)
    count = (real // 8).clamp(min=1)
    place = torch.arange(attention.shape[1], device=attention.device)[None]
    # Padding goes to the end of the rising order, past the real ones.
    rising = attention.masked_fill(~mask, torch.inf).sort(dim=1).values
    bottom, top = place < count[:, None], (place < real[:, None]) & (place >= (real - count)[:, None])
    means = (_mean(rising, bottom & mask.any(dim=1, keepdim=True), count) - _mean(rising, top, count)) * (real > 0)
    return means.sum() / (real > 0).sum().clamp(min=1)


def _mean(values: Tensor, chosen: Tensor, count: Tensor) -> Tensor:
    return values.masked_fill(~chosen, 0.0).sum(dim=1) / count
