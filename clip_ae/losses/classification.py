"""Video classification (STPN, CVPR 2018, eq. 4): binary cross-entropy over the classes."""

import torch.nn.functional as F
from torch import Tensor


def classification_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """-mean_b sum_c [ y log p + (1 - y) log(1 - p) ] with p = sigmoid(video logits); both [B, C].

    Summed over the classes: a mean would make the one true class weigh less the more classes there are.
    """
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(dim=1).mean()
