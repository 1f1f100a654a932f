"""Cluster-based triplet loss (TCAM, CVPR 2020; missing in its released code): videos of one cluster are closer."""

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 0.5


def triplet_loss(pooled: Tensor, labels: Tensor, video_mask: Tensor) -> Tensor:
    """mean_b max(0, max_p d(b, p) - min_n d(b, n) + 1/2), where d = 1 - cos.

    p are the other videos that share a class with b, n the videos that share none; the mean is over the videos that
    have both. pooled [B, D], labels [B, C]; video_mask [B] is False for videos without real snippets: they are ignored.
    """
    unit = F.normalize(pooled, dim=1)
    distance = 1 - unit @ unit.T
    real_pair_mask = video_mask[:, None] & video_mask
    shared_mask = labels @ labels.T > 0
    different_mask = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive_mask, negative_mask = shared_mask & real_pair_mask & different_mask, ~shared_mask & real_pair_mask
    farthest = distance.masked_fill(~positive_mask, -torch.inf).amax(dim=1)
    nearest = distance.masked_fill(~negative_mask, torch.inf).amin(dim=1)
    anchor_mask = positive_mask.any(dim=1) & negative_mask.any(dim=1)
    return (farthest - nearest + MARGIN).relu().masked_fill(~anchor_mask, 0.0).sum() / anchor_mask.sum().clamp(min=1)
