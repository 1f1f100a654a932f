"""Sparsity of attention (STPN, CVPR 2018; BaS-Net, AAAI 2020): few snippets should determine the class of the video."""

from torch import Tensor

from clip_ae.losses.masked_mean import masked_mean


def sparsity_loss(attention: Tensor, mask: Tensor) -> Tensor:
    """mean_b ||a_b||_1 over the real snippets; both are [B, T], attention is in [0, 1]."""
    return (attention * mask).sum(dim=1).mean()


def mean_attention_loss(attention: Tensor, mask: Tensor) -> Tensor:
    """mean_b (||a_b||_1 / T_b) over the T_b real snippets: the sparsity of a share of the video, whatever its length.

    Both are [B, T], attention is in [0, 1].
    """
    return masked_mean(attention, mask)
