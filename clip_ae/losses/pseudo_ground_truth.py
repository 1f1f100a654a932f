"""Pseudo ground truth of TSCN (ECCV 2020): the thresholded fused attention of an earlier state of the network."""

from torch import Tensor

from clip_ae.losses.masked_mean import masked_mean


def pseudo_ground_truth_loss(attention: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """mean_t (a - G)^2; a, G in {0, 1} and mask are [B, T]."""
    return masked_mean((attention - target).square(), mask)
