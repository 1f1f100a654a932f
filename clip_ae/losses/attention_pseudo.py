"""Attention of a teacher as pseudo-labels, weighted by their uncertainty (UGCT, CVPR 2021; reconstructed)."""

from torch import Tensor

from clip_ae.losses.masked_mean import masked_mean


def attention_pseudo_loss(
    attention: Tensor, target: Tensor, log_uncertainty: Tensor, mask: Tensor, uncertainty_weight: float
) -> Tensor:
    """mean_t [ exp(-U) (A - G)^2 + b U ]; A, G, U and mask are [B, T], b is uncertainty_weight.

    The term b U prevents a high U everywhere. U must have a lower bound: where A equals G, the loss decreases with U
    without limit.
    """
    return masked_mean(
        (-log_uncertainty).exp() * (attention - target).square() + uncertainty_weight * log_uncertainty, mask
    )
