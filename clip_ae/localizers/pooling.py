"""Attention-weighted means over the snippets of a video."""

from torch import Tensor

EPSILON = 1e-6


def attention_pool(x: Tensor, attention: Tensor) -> Tensor:
    """sum_t a_t x_t / sum_t a_t: [B, T, D] and [B, T] -> [B, D]; 0 where nothing is attended."""
    weighted = (attention[..., None] * x).sum(dim=1)
    return weighted / (attention.sum(dim=1, keepdim=True) + EPSILON)
