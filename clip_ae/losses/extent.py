"""Every snippet is told which classes act in it (the oracle's own)."""

import torch.nn.functional as F
from torch import Tensor

from clip_ae.losses.masked_mean import masked_mean


def extent_loss(cas: Tensor, snippet_labels: Tensor, mask: Tensor) -> Tensor:
    """1/2 mean_{t: some class acts} l_t + 1/2 mean_{t: none} l_t,  l_t = sum_c BCE(sigmoid(s_tc), y_tc).

    cas and extents [B, T, C]. In halves, as rare actions would hardly count in a plain mean.
    """
    by_snippet = F.binary_cross_entropy_with_logits(cas, snippet_labels, reduction="none").sum(dim=-1)
    acting = snippet_labels.any(dim=-1)
    return (masked_mean(by_snippet, mask & acting) + masked_mean(by_snippet, mask & ~acting)) / 2
