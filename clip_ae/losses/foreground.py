"""Classification of the attended snippets: cross-entropy (WSAL-BM, ICCV 2019; TSCN, ECCV 2020)."""

import torch.nn.functional as F
from torch import Tensor


def foreground_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """-mean_b sum_c q_c log p_c, where p is the softmax of video logits [B, K] and q = y / sum y.

    labels y [B, C]; K is C, or C + 1 with a background class, whose label is always 0. Unlike a mean over classes,
    a softmax does not lose weight with more classes.
    """
    target = F.pad(labels, (0, logits.shape[1] - labels.shape[1]))
    target = target / target.sum(dim=1, keepdim=True).clamp(min=1)
    return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()
