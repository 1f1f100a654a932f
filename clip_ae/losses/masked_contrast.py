"""Masked contrastive loss between clips and texts (after Xu et al. 2022; their equations were not available)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def masked_contrastive_loss(similarity: Tensor, class_ids: Tensor) -> Tensor:
    """-1/2N sum_i [ log e_ii / sum_{j in Neg(i) + i} e_ij  +  log e_ii / sum_{j in Neg(i) + i} e_ji ],  e = exp(s).

    similarity s [N, N]: of N clips (rows) and the texts of the same N clips (columns), divided by a temperature.
    class_ids [N]: the class of each clip. Neg(i) are the clips of other classes: two clips of one action are not
    negatives of each other. Background is a class with its own text, so its clips are negatives of all action texts.
    """
    identity = torch.eye(len(class_ids), dtype=torch.bool, device=class_ids.device)
    same_class_mask = (class_ids[:, None] == class_ids) & ~identity
    logits = similarity.masked_fill(same_class_mask, -torch.inf)
    diagonal = torch.arange(len(class_ids), device=class_ids.device)
    return (F.cross_entropy(logits, diagonal) + F.cross_entropy(logits.T, diagonal)) / 2
