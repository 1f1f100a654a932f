"""Action-background separation (TCAM, CVPR 2020): two videos of one cluster are similar in their actions only.

TCAM's released code calls this loss on class activations and features but does not contain it. This one follows the
paper, with the margin of W-TALC.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 0.5


def separation_loss(cas: Tensor, x: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """mean_{m,n,c} max(0, cos(a_m, b_n) - cos(a_m, a_n) + 1/2) over pairs m != n that both have class c.

    a = sum_t A_t x_t,  b = sum_t (1 - A_t) x_t,  A = softmax_t(cas_c) over the real snippets. cas [B, T, C],
    x [B, T, D], labels [B, C]; 0 if the batch has no pair. Batches are not sampled for pairs.
    """
    real_mask = mask[..., None]
    attention = cas.masked_fill(~real_mask, torch.finfo(cas.dtype).min).softmax(dim=1) * real_mask
    action, background = _pool(attention, x), _pool(real_mask * (1 - attention), x)
    violations = (_cosines(action, background) - _cosines(action, action) + MARGIN).relu()
    pairs = _pair_weights(labels * mask.any(dim=1, keepdim=True))
    return (violations * pairs).sum() / pairs.sum().clamp(min=1)


def _pool(weights: Tensor, x: Tensor) -> Tensor:
    """[B, C, D], unit length."""
    return F.normalize(weights.transpose(1, 2) @ x, dim=-1)


def _cosines(first: Tensor, second: Tensor) -> Tensor:
    """[B, B, C]: cosine similarity of each pair of videos, by class."""
    return torch.einsum("mcd,ncd->mnc", first, second)


def _pair_weights(labels: Tensor) -> Tensor:
    """[B, B, C]: 1 where two different videos both have the class."""
    different_mask = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return labels[:, None] * labels[None] * different_mask[..., None]
