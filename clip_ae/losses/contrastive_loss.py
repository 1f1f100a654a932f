"""Actions of one cluster attract each other, backgrounds are pushed off (after APSL; reconstructed, low confidence)."""

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 0.07


def contrastive_loss(x: Tensor, attention: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """-mean_{b,p} log [ e(a_b, a_p) / (e(a_b, a_p) + sum_n e(a_b, g_n)) ],  e(u, v) = exp(cos(u, v) / tau).

    Of each video's T_b real snippets the max(1, T_b // 8) most attended are action, their mean a; the T_b // 3 least
    attended are background, their mean g; those between are neither. p: other videos that share a class with b; n: all
    videos, b too. x [B, T, D]; attention and mask [B, T]; 0 where a batch has no pair.
    """
    action, background = _ends(attention, mask)
    a, g = _mean(x, action), _mean(x, background)
    to_others = a @ a.T / TEMPERATURE
    to_background = (a @ g.T / TEMPERATURE).masked_fill(~background.any(dim=1), -torch.inf)
    log_sum = torch.logaddexp(to_others, to_background.logsumexp(dim=1, keepdim=True))
    pairs = (labels @ labels.T > 0) & mask.any(dim=1)[:, None] & mask.any(dim=1)
    pairs = pairs & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return (log_sum - to_others).masked_fill(~pairs, 0.0).sum() / pairs.sum().clamp(min=1)


def _ends(attention: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Which snippets are action and which background, [B, T]."""
    count = mask.sum(dim=1, keepdim=True)
    # Padding ranks behind all real snippets.
    order = attention.masked_fill(~mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1)
    return mask & (rank < (count // 8).clamp(min=1)), mask & (rank >= count - count // 3)


def _mean(x: Tensor, chosen: Tensor) -> Tensor:
    """[B, D], of length 1."""
    return F.normalize((x * chosen[..., None]).sum(dim=1), dim=1)
