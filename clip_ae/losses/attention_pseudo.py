"""A teacher's attention as pseudo-labels, less where they are uncertain (UGCT, CVPR 2021; reconstructed)."""

from torch import Tensor

from clip_ae.losses.masked_mean import masked_mean


def attention_pseudo_loss(
    attention: Tensor, target: Tensor, log_uncertainty: Tensor, mask: Tensor, uncertainty_weight: float
) -> Tensor:
    """mean_t [ exp(-U) (A - G)^2 + b U ]; all [B, T].

    Without b, all would be uncertain. U itself must be bounded: where A equals G the loss falls with it for ever.
    """
    return masked_mean(
        (-log_uncertainty).exp() * (attention - target).square() + uncertainty_weight * log_uncertainty, mask
    )
