"""Video classification (STPN, CVPR 2018, eq. 4): binary cross-entropy over the classes."""

import torch.nn.functional as F
from torch import Tensor


def classification_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """-mean_b sum_c [ y log p + (1 - y) log(1 - p) ], where p = sigmoid(video logits); both are [B, C].

    A sum over the classes: in a mean, the weight of the true class would decrease with the number of classes.
    """
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(dim=1).mean()
