"""Class activations of a teacher as pseudo-labels (UGCT, CVPR 2021; reconstructed): KL divergence or squared error."""

from collections.abc import Callable

from torch import Tensor

from clip_ae.losses.masked_mean import masked_mean


def kl_loss(cas: Tensor, target: Tensor, log_uncertainty: Tensor, mask: Tensor) -> Tensor:
    """mean_t exp(-U) sum_k q log(q / p): p, q are the softmax of cas, target [B, T, K]; U and mask are [B, T]."""
    log_p, log_q = cas.log_softmax(dim=-1), target.log_softmax(dim=-1)
    divergence = (log_q.exp() * (log_q - log_p)).sum(dim=-1)
    return masked_mean((-log_uncertainty).exp() * divergence, mask)


def mse_loss(cas: Tensor, target: Tensor, log_uncertainty: Tensor, mask: Tensor) -> Tensor:
    """mean_t exp(-U) mean_k (p - q)^2; shapes as in kl_loss."""
    error = (cas.softmax(dim=-1) - target.softmax(dim=-1)).square().mean(dim=-1)
    return masked_mean((-log_uncertainty).exp() * error, mask)


# Keys: values of `ugct.class_targets`.
CLASS_TARGET_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {"kl": kl_loss, "mse": mse_loss}
