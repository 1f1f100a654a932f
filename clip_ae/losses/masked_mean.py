"""Means that padding does not enter."""

from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the real snippets of each video, then over the videos that have any: [B, T] -> a scalar."""
    some = mask.any(dim=1)
    by_video = values.masked_fill(~mask, 0.0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return by_video.sum() / some.sum().clamp(min=1)
