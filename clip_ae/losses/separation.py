"""Two videos of one cluster are alike where they act and only there (TCAM, CVPR 2020, action-background separation).

The release calls this loss on class activations and features but does not have it: it is made from the paper, with
W-TALC's margin.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 0.5


def separation_loss(cas: Tensor, x: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """mean_{m,n,c} max(0, cos(a_m, b_n) - cos(a_m, a_n) + 1/2) over pairs m != n that both have class c.

    a = sum_t A_t x_t,  b = sum_t (1 - A_t) x_t,  A = softmax_t(cas_c) over the real snippets. cas [B, T, C],
    x [B, T, D], labels [B, C]; 0 where a batch has no pair: pairs are whatever the batch holds, nothing seeks them.
    """
    real = mask[..., None]
    attention = cas.masked_fill(~real, torch.finfo(cas.dtype).min).softmax(dim=1) * real
    action, background = _pooled(attention, x), _pooled(real * (1 - attention), x)
    too_close = (_cosines(action, background) - _cosines(action, action) + MARGIN).relu()
    pairs = _pairs(labels * mask.any(dim=1, keepdim=True))
    return (too_close * pairs).sum() / pairs.sum().clamp(min=1)


def _pooled(weights: Tensor, x: Tensor) -> Tensor:
    """[B, C, D], of length 1."""
    return F.normalize(weights.transpose(1, 2) @ x, dim=-1)


def _cosines(first: Tensor, second: Tensor) -> Tensor:
    """[B, B, C]: of every two videos, class by class."""
    return torch.einsum("mcd,ncd->mnc", first, second)


def _pairs(labels: Tensor) -> Tensor:
    """[B, B, C]: 1 where two different videos have the class."""
    others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return labels[:, None] * labels[None] * others[..., None]
