"""The attended snippets are of the video's classes: cross-entropy (WSAL-BM, ICCV 2019; TSCN, ECCV 2020)."""

import torch.nn.functional as F
from torch import Tensor


def foreground_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """-mean_b sum_c q_c log p_c with p = softmax(video [B, K]), q = y / sum y; labels [B, C], K is C or C + 1.

    A background class is never the label; a softmax over the classes does not weaken as they grow in number.
    """
    target = F.pad(labels, (0, logits.shape[1] - labels.shape[1]))
    target = target / target.sum(dim=1, keepdim=True).clamp(min=1)
    return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()
