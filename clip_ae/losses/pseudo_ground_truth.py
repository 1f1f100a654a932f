"""The fused attention of an earlier self, cut in two, as the truth about every stream's attention (TSCN, ECCV 2020)."""

from torch import Tensor

from clip_ae.losses.masked_mean import masked_mean


def pseudo_ground_truth_loss(attention: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """mean_t (a - G)^2; all [B, T], G in {0, 1}."""
    return masked_mean((attention - target).square(), mask)
