"""Sparse attention (STPN, CVPR 2018): few snippets should carry the video's class."""

from torch import Tensor


def sparsity_loss(attention: Tensor, mask: Tensor) -> Tensor:
    """mean_b || a_b ||_1 over the real snippets; both [B, T], attention in [0, 1]."""
    return (attention * mask).sum(dim=1).mean()
