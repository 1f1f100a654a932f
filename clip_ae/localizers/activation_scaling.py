"""Class activations scaled to 0 ... 1 in each video, as the code of BaS-Net and CoLA does at inference."""

import torch
from torch import Tensor


def scale_activations(cas: Tensor, mask: Tensor) -> Tensor:
    """(s - l) / (h - l), clipped to 0 ... 1, of cas s [B, T, C], by video and class.

    l and h are the lowest and the highest s over the real snippets, or 0 if that is negative. The result is 0 for a
    class without a positive s and for a curve without differences.
    """
    real_mask = mask[..., None]
    low = cas.masked_fill(~real_mask, torch.inf).amin(dim=1, keepdim=True).relu()
    high = cas.masked_fill(~real_mask, -torch.inf).amax(dim=1, keepdim=True).relu()
    has_range = high > low
    scaled = (cas - low) / (high - low).masked_fill(~has_range, 1.0)
    return scaled.clamp(0, 1).masked_fill(~(real_mask & has_range), 0.0)
