"""Video classification (STPN, CVPR 2018, eq. 4): binary cross-entropy over the classes."""

import torch.nn.functional as F
from torch import Tensor


def classification(video: Tensor, labels: Tensor) -> Tensor:
    """-mean_{b,c} [ y log p + (1 - y) log(1 - p) ] with p = sigmoid(video logits); both [B, C]."""
    return F.binary_cross_entropy_with_logits(video, labels)
