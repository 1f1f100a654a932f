"""Mean without padding."""

from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the real snippets of each video, then over the videos with a real snippet: [B, T] -> a scalar."""
    video_mask = mask.any(dim=1)
    video_means = values.masked_fill(~mask, 0.0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    return video_means.sum() / video_mask.sum().clamp(min=1)
