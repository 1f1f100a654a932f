"""Classification of each snippet with the true extents of actions (oracle only)."""

from torch import Tensor

from clip_ae.losses.masked_mean import masked_mean


def extent_loss(cas: Tensor, snippet_labels: Tensor, mask: Tensor) -> Tensor:
    """1/2 mean_{t with an action} l_t + 1/2 mean_{other t} l_t, where l_t = sum_c (s_tc - y_tc)^2.

    cas and snippet_labels are [B, T, C]. Two halves, because rare actions would have little weight in one mean.
    """
    loss = (cas - snippet_labels).square().sum(dim=-1)
    action_mask = snippet_labels.any(dim=-1)
    return (masked_mean(loss, mask & action_mask) + masked_mean(loss, mask & ~action_mask)) / 2
