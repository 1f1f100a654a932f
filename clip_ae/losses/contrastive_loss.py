"""Contrast of actions and backgrounds between the videos of a cluster (after APSL; reconstructed, low confidence)."""

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 0.07


def contrastive_loss(x: Tensor, attention: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """-mean_{b,p} log [ e(a_b, a_p) / (e(a_b, a_p) + sum_n e(a_b, g_n)) ], where e(u, v) = exp(cos(u, v) / tau).

    Of the T_b real snippets of a video, the max(1, T_b // 8) most attended are action, with mean a; the T_b // 3 least
    attended are background, with mean g; the others are neither. p: other videos that share a class with b; n: all
    videos, including b. x [B, T, D], attention and mask [B, T]; 0 if the batch has no pair.
    """
    action_mask, background_mask = _action_and_background_masks(attention, mask)
    action, background = _normalized_mean(x, action_mask), _normalized_mean(x, background_mask)
    action_logits = action @ action.T / TEMPERATURE
    background_logits = (action @ background.T / TEMPERATURE).masked_fill(~background_mask.any(dim=1), -torch.inf)
    log_sum = torch.logaddexp(action_logits, background_logits.logsumexp(dim=1, keepdim=True))
    pair_mask = (labels @ labels.T > 0) & mask.any(dim=1)[:, None] & mask.any(dim=1)
    pair_mask = pair_mask & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return (log_sum - action_logits).masked_fill(~pair_mask, 0.0).sum() / pair_mask.sum().clamp(min=1)


def _action_and_background_masks(attention: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """[B, T] each."""
    num_real = mask.sum(dim=1, keepdim=True)
    # Padding has the last ranks.
    order = attention.masked_fill(~mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1)
    return mask & (rank < (num_real // 8).clamp(min=1)), mask & (rank >= num_real - num_real // 3)


def _normalized_mean(x: Tensor, selected_mask: Tensor) -> Tensor:
    """[B, D]: mean of the selected snippets, unit length."""
    return F.normalize((x * selected_mask[..., None]).sum(dim=1), dim=1)
