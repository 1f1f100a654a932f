"""Snippet contrast, L_SniCo (CoLA, CVPR 2021): hard snippets become more like easy snippets of their own kind.

Actionness of a video gives four sets of its snippets (T is their number):
    easy action, easy background    the T // 5 with the highest and the lowest actionness
    hard action                     of those inside the edges of an action, the T // 20 with the highest actionness
    hard background                 of those outside the edges, the T // 20 with the highest actionness
An action is where actionness is above its median. Inside: erosion by 3 snippets less erosion by 6; outside: dilation by
6 less dilation by 3. Gaps (snippets without coverage) are closed before.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 0.07
EASY_DIVISOR, HARD_DIVISOR = 5, 20
# Snippets in the structuring elements of erosion and dilation.
NARROW, WIDE = 3, 6


def snippet_contrast_loss(x: Tensor, actionness: Tensor, easy_candidates: Tensor, mask: Tensor) -> Tensor:
    """contrast(hard action, easy action, easy background) + contrast(hard background, easy background, easy action).

    x [B, T, D]; actionness [B, T] >= 0; easy_candidates [B, T] in {0, 1}: the easy snippets are taken from these first.
    Actionness selects snippets only; gradients reach x. All sets have at least one snippet but for the hard ones, whose
    region can be empty: such videos are not in the mean.
    """
    actionness = actionness.detach().masked_fill(~mask, 0.0)
    count = mask.sum(dim=1, keepdim=True)
    num_easy, num_hard = ((count // divisor).clamp(min=1) for divisor in (EASY_DIVISOR, HARD_DIVISOR))
    reversed_actionness = actionness.amax(dim=1, keepdim=True) - actionness
    easy_action, easy_background = (
        _top_k_mask(scores * easy_candidates, mask, num_easy) for scores in (actionness, reversed_actionness)
    )
    hard_action, hard_background = (
        _top_k_mask(actionness, region, num_hard) for region in _edge_regions(actionness, mask)
    )
    return _contrast(x, hard_action, easy_action, easy_background) + _contrast(
        x, hard_background, easy_background, easy_action
    )


def _contrast(x: Tensor, anchor_mask: Tensor, positive_mask: Tensor, negative_mask: Tensor) -> Tensor:
    """mean_b -log [ e(a, p) / (e(a, p) + sum_n e(a, x_n)) ], e(u, v) = exp(cos(u, v) / tau).

    a and p are the mean anchor and the mean positive snippet of a video, n its negative snippets.
    """
    anchor = _normalized_mean(x, anchor_mask)
    positive_logits = (anchor * _normalized_mean(x, positive_mask)).sum(dim=1) / TEMPERATURE
    negatives = F.normalize(x.masked_fill(~negative_mask[..., None], 0.0), dim=2)
    negative_logits = (negatives @ anchor[..., None]).squeeze(2) / TEMPERATURE
    # Of the videos without negatives the logits stay finite; they have no anchor either.
    has_anchor = anchor_mask.any(dim=1)
    logits = negative_logits.masked_fill(~negative_mask & has_anchor[:, None], -torch.inf)
    losses = torch.cat([positive_logits[:, None], logits], dim=1).logsumexp(dim=1) - positive_logits
    return losses.masked_fill(~has_anchor, 0.0).sum() / has_anchor.sum().clamp(min=1)


def _normalized_mean(x: Tensor, selected_mask: Tensor) -> Tensor:
    """[B, D]: mean of the selected snippets, unit length."""
    return F.normalize(x.masked_fill(~selected_mask[..., None], 0.0).sum(dim=1), dim=1)


def _top_k_mask(scores: Tensor, eligible_mask: Tensor, count: Tensor) -> Tensor:
    """[B, T]: the count [B, 1] eligible snippets with the highest scores, or all if there are fewer."""
    order = scores.masked_fill(~eligible_mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return eligible_mask & (order.argsort(dim=1) < count)


def _edge_regions(actionness: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """[B, T] each: snippets just inside and just outside of the edges of actions."""
    # Real snippets first, in order, so that gaps are closed.
    order = (~mask).to(torch.uint8).argsort(dim=1, stable=True)
    real, values = mask.gather(1, order), actionness.gather(1, order)
    action = real & (values > _median(values, real))
    # Beyond both ends of a video there is neither action nor, for erosion, anything to keep the action from its edge.
    inside = _dilate(~action, WIDE, beyond=True) & ~_dilate(~action, NARROW, beyond=True)
    outside = _dilate(action, WIDE, beyond=False) & ~_dilate(action, NARROW, beyond=False)
    back = order.argsort(dim=1)
    return (inside & action).gather(1, back) & mask, outside.gather(1, back) & mask


def _median(values: Tensor, real: Tensor) -> Tensor:
    """[B, 1]: the median of the real values, which come first; the mean of the middle two of an even number."""
    count = real.sum(dim=1, keepdim=True)
    ascending = values.masked_fill(~real, torch.inf).sort(dim=1).values
    low, high = ((count - 1).clamp(min=0) // 2, (count // 2).clamp(max=values.shape[1] - 1))
    return (ascending.gather(1, low) + ascending.gather(1, high)) / 2


def _dilate(binary: Tensor, size: int, *, beyond: bool) -> Tensor:
    """Where any of the snippets t - size // 2 ... t + (size - 1) // 2 is True; `beyond` is the value outside of [0, T).

    These are the positions of SciPy's binary_dilation with an even size.
    """
    padded = F.pad(binary.float(), (size // 2, (size - 1) // 2), value=float(beyond))
    return F.max_pool1d(padded[:, None], size, stride=1)[:, 0] > 0
