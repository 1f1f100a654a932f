"""Attention normalization (TSCN, ECCV 2020): high attention for some snippets, low attention for others."""

import torch
from torch import Tensor


def attention_norm_loss(attention: Tensor, mask: Tensor) -> Tensor:
    """mean_b [ mean(lowest l of a) - mean(highest l of a) ] over the real snippets, l = max(1, T_b // 8).

    attention and mask are [B, T].
    """
    num_real = mask.sum(dim=1)
    count = (num_real // 8).clamp(min=1)
    rank = torch.arange(attention.shape[1], device=attention.device)[None]
    # In ascending order padding is last, after the real snippets.
    ascending = attention.masked_fill(~mask, torch.inf).sort(dim=1).values
    bottom_mask = (rank < count[:, None]) & mask.any(dim=1, keepdim=True)
    top_mask = (rank < num_real[:, None]) & (rank >= (num_real - count)[:, None])
    differences = _masked_sum(ascending, bottom_mask) / count - _masked_sum(ascending, top_mask) / count
    return (differences * (num_real > 0)).sum() / (num_real > 0).sum().clamp(min=1)


def _masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask, 0.0).sum(dim=1)
