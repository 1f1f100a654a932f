"""Attention and class activations should tell the same (WSAL-BM, ICCV 2019, self-guided attention)."""

from torch import Tensor

from clip_ae.losses.masked_mean import masked_mean


def guide_loss(attention: Tensor, probabilities: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """mean_t |a - max_{c in y} p_c| + mean_t |a - (1 - p_background)|.

    attention and mask [B, T], share p [B, T, C + 1] (softmax of class activations, background last), labels [B, C].
    Both sides learn: the gradient is that of two such losses with one side fixed in turn, mutual supervision.
    """
    actions = probabilities[..., :-1].masked_fill(labels[:, None] == 0, 0.0).amax(dim=-1)
    differences = (attention - actions).abs() + (attention - (1 - probabilities[..., -1])).abs()
    return masked_mean(differences, mask)
