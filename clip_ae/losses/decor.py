"""L_de-cor (CLIP-AE eq. 7): decorrelation of the feature dimensions.

As in IDFD (Tao et al., ICLR 2021), a dimension is a vector over samples, here over all real snippets of the batch,
normalised to unit length; G is the Gram matrix of the d dimensions. As printed, |X X^T - I|^2 is about 10^5 at
d = 1024, while the other losses are about 1; the default therefore divides by d^2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# Of the softmax form, from IDFD.
TEMPERATURE = 2.0


def decorrelation_loss(x: Tensor, mask: Tensor, form: str = "mean", *, centred: bool = False) -> Tensor:
    """L_de-cor of x [B, T, d] with mask [B, T].

    form: `literal` is sum_ij (G - I)^2, `mean` is the same divided by d^2, `softmax` see softmax_decorrelation_loss.
    centred: subtract the mean of each dimension first.
    """
    gram = gram_matrix(x, mask, centred=centred)
    if form == "softmax":
        return softmax_decorrelation_loss(gram)
    squares = (gram - torch.eye(len(gram), device=x.device, dtype=x.dtype)).square()
    return squares.sum() if form == "literal" else squares.mean()


def gram_matrix(x: Tensor, mask: Tensor, *, centred: bool) -> Tensor:
    """G = V^T V [d, d]; the columns of V are the dimensions over the real snippets, with unit length."""
    real_mask = mask[..., None]
    x = x.masked_fill(~real_mask, 0.0)
    if centred:
        x = (x - x.sum(dim=(0, 1)) / real_mask.sum().clamp(min=1)).masked_fill(~real_mask, 0.0)
    v = F.normalize(x.flatten(0, 1), dim=0)
    return v.T @ v


def softmax_decorrelation_loss(gram: Tensor) -> Tensor:
    """IDFD's form, which is more stable: mean_i -log softmax_j(G_ij / tau)[i], tau = 2."""
    return -(gram / TEMPERATURE).log_softmax(dim=1).diagonal().mean()
