"""L_de-cor (CLIP-AE eq. 7): the dimensions of a feature should say different things.

As in IDFD (Tao et al., ICLR 2021) a dimension is a vector over samples, here over all real snippets of the batch, set
to length 1; G is the Gram matrix of the d dimensions. As printed, |X X^T - I|^2 at d = 1024 is about 10^5 beside losses
of about 1, so the default divides by d^2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# IDFD's temperature of the softmax form.
TEMPERATURE = 2.0


def decorrelation_loss(x: Tensor, mask: Tensor, form: str = "mean", *, centred: bool = False) -> Tensor:
    """x [B, T, d] and mask [B, T]. `literal`: sum_ij (G - I)^2; `mean`: that over d^2; `softmax`: see below."""
    gram = gram_matrix(x, mask, centred=centred)
    if form == "softmax":
        return softmax_decorrelation_loss(gram)
    squares = (gram - torch.eye(len(gram), device=x.device, dtype=x.dtype)).square()
    return squares.sum() if form == "literal" else squares.mean()


def gram_matrix(x: Tensor, mask: Tensor, *, centred: bool) -> Tensor:
    """G = V^T V with the columns of V the dimensions over the real snippets, of length 1: [d, d]."""
    real = mask[..., None]
    x = x.masked_fill(~real, 0.0)
    if centred:
        x = (x - x.sum(dim=(0, 1)) / real.sum().clamp(min=1)).masked_fill(~real, 0.0)
    v = F.normalize(x.flatten(0, 1), dim=0)
    return v.T @ v


def softmax_decorrelation_loss(gram: Tensor) -> Tensor:
    """IDFD's stabler form: mean_i -log softmax_j(G_ij / tau)[i], tau = 2."""
    return -(gram / TEMPERATURE).log_softmax(dim=1).diagonal().mean()
