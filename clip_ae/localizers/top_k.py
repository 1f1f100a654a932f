"""The mean of the highest activations over time: how methods of multiple-instance learning (MIL) classify a video."""

import torch
from torch import Tensor


def top_k_mean(cas: Tensor, mask: Tensor, divisor: int) -> Tensor:
    """Video logits [B, K]: by class, the mean of the k highest of cas [B, T, K] over the real snippets.

    k = max(1, T_b // divisor), where T_b is the number of real snippets; 0 for a video without real snippets.
    """
    count = (mask.sum(dim=1) // divisor).clamp(min=1)
    descending = cas.masked_fill(~mask[..., None], -torch.inf).sort(dim=1, descending=True).values
    rank = torch.arange(cas.shape[1], device=cas.device)
    top_mask = (rank < count[:, None]) & mask.any(dim=1, keepdim=True)
    return descending.masked_fill(~top_mask[..., None], 0.0).sum(dim=1) / count[:, None]
