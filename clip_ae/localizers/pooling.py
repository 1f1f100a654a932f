"""Attention-weighted mean over the snippets of a video."""

from torch import Tensor

EPSILON = 1e-6


def attention_pool(x: Tensor, attention: Tensor) -> Tensor:
    """sum_t a_t x_t / sum_t a_t: x [B, T, D] and attention [B, T] -> [B, D]; 0 if all attention is 0."""
    weighted_sum = (attention[..., None] * x).sum(dim=1)
    return weighted_sum / (attention.sum(dim=1, keepdim=True) + EPSILON)
