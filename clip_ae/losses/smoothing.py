"""Smoothing of class activations along time, before they guide attention (WSAL-BM, ICCV 2019)."""

import torch
import torch.nn.functional as F
from torch import Tensor

SIGMA = 1.0
RADIUS = 3


def smooth(values: Tensor, mask: Tensor) -> Tensor:
    """sum_k g_k v_{t+k} / sum_k g_k over the real snippets t+k, g_k = exp(-k^2 / 2 sigma^2): [B, T, K] -> [B, T, K]."""
    real_mask = mask[..., None]
    weight = _convolve(real_mask.to(values.dtype))
    return _convolve(values.masked_fill(~real_mask, 0.0)) / weight.masked_fill(weight == 0, 1.0)


def _convolve(values: Tensor) -> Tensor:
    """Convolution of [B, T, K] along T with the Gaussian kernel g."""
    offsets = torch.arange(-RADIUS, RADIUS + 1, device=values.device, dtype=values.dtype)
    kernel = (-0.5 * (offsets / SIGMA).square()).exp()
    rows = values.transpose(1, 2)
    return F.conv1d(rows.flatten(0, 1)[:, None], kernel[None, None], padding=RADIUS).view(rows.shape).transpose(1, 2)
