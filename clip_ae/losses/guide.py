"""Agreement of attention and class activations (WSAL-BM, ICCV 2019, self-guided attention)."""

from torch import Tensor

from clip_ae.losses.masked_mean import masked_mean


def guide_loss(attention: Tensor, probabilities: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """mean_t |a - max_{c in y} p_c| + mean_t |a - (1 - p_background)|.

    attention a and mask are [B, T]; probabilities p [B, T, C + 1], the softmax of class activations with background
    last; labels [B, C]. Both sides get a gradient: that of two such losses with one side detached in turn.
    """
    action = probabilities[..., :-1].masked_fill(labels[:, None] == 0, 0.0).amax(dim=-1)
    differences = (attention - action).abs() + (attention - (1 - probabilities[..., -1])).abs()
    return masked_mean(differences, mask)
