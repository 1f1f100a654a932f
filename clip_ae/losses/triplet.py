"""Videos of one cluster are closer than those of two (TCAM, CVPR 2020, cluster-based triplet; its release lacks it)."""

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 0.5


def triplet_loss(pooled: Tensor, labels: Tensor, video_mask: Tensor) -> Tensor:
    """mean_b max(0, max_p d(b, p) - min_n d(b, n) + 1/2),  d = 1 - cos.

    p are the other videos that share a class with b, n those that share none; over the videos that have both. pooled
    [B, D], labels [B, C], real [B]: videos without material take no part.
    """
    unit = F.normalize(pooled, dim=1)
    distance = 1 - unit @ unit.T
    together, known = labels @ labels.T > 0, video_mask[:, None] & video_mask
    others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive, negative = together & known & others, ~together & known
    farthest = distance.masked_fill(~positive, -torch.inf).amax(dim=1)
    nearest = distance.masked_fill(~negative, torch.inf).amin(dim=1)
    valid = positive.any(dim=1) & negative.any(dim=1)
    return (farthest - nearest + MARGIN).relu().masked_fill(~valid, 0.0).sum() / valid.sum().clamp(min=1)
