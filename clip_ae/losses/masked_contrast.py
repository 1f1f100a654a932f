"""Masked contrastive loss between clips and texts (after Xu et al. 2022, whose equations could not be had)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def masked_contrastive_loss(similarity: Tensor, class_ids: Tensor) -> Tensor:
    """-1/2N sum_i [ log e_ii / sum_{j in Neg(i) + i} e_ij  +  log e_ii / sum_{j in Neg(i) + i} e_ji ],  e = exp(s).

    s [N, N]: similarities, over a temperature, of N clips (rows) with the texts of the same N (columns); kinds [N]
    tell what each shows. Neg(i) are those of another kind: two clips of one action are no negatives of each other.
    Background is a kind as well, with a text of its own, so its clips are negatives of every action's text.
    """
    others = (class_ids[:, None] == class_ids) & ~torch.eye(len(class_ids), dtype=torch.bool, device=class_ids.device)
    s = similarity.masked_fill(others, -torch.inf)
    own = torch.arange(len(class_ids), device=class_ids.device)
    return (F.cross_entropy(s, own) + F.cross_entropy(s.T, own)) / 2
