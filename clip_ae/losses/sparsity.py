"""Sparsity of attention (STPN, CVPR 2018): few snippets should determine the class of the video."""

from torch import Tensor


def sparsity_loss(attention: Tensor, mask: Tensor) -> Tensor:
    """mean_b ||a_b||_1 over the real snippets; both are [B, T], attention is in [0, 1]."""
    return (attention * mask).sum(dim=1).mean()
