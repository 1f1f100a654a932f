"""L_ins-dis (CLIP-AE eq. 8): each training video is a class of its own, with its memory bank row as the prototype."""

import torch.nn.functional as F
from torch import Tensor


def instance_discrimination_loss(z: Tensor, bank: Tensor, video_indices: Tensor, temperature: float) -> Tensor:
    """-mean_b log exp(z_b . m_b / tau) / sum_i exp(z_b . m_i / tau).

    z [B, d] and the rows m of the bank [N, d] have unit length; video_indices [B] are rows of the bank. (The paper
    prints x instead of z in the denominator.) With tau = 1 the loss is always within 2 of log N: weak by construction.
    """
    return F.cross_entropy(z @ bank.T / temperature, video_indices)
