"""Video classification of BaS-Net (AAAI 2020) and CoLA (CVPR 2021): binary cross-entropy of softmax probabilities."""

import torch
from torch import Tensor


def softmax_classification_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """-mean_b sum_c [ q_c log p_c + (1 - q_c) log(1 - p_c) ], where p = softmax(video logits) and q = y / sum y.

    logits and labels y are [B, K], K > 1; a background class, if there is one, has its column in both. The published
    codes take the mean over c: with many classes, weight decay would then be larger than the gradient, and nothing
    would be learned.
    """
    target = labels / labels.sum(dim=1, keepdim=True).clamp(min=1)
    total = logits.logsumexp(dim=1, keepdim=True)
    # log(1 - p_c) as the logsumexp of the other classes: exact where p_c is nearly 1.
    own = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    others = logits[:, None].masked_fill(own, -torch.inf).logsumexp(dim=2)
    return -(target * (logits - total) + (1 - target) * (others - total)).sum(dim=1).mean()
