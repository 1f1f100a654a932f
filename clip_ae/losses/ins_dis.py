"""L_ins-dis (CLIP-AE eq. 8): each training video is a class of its own; its memory is the class's prototype."""

import torch.nn.functional as F
from torch import Tensor


def instance_discrimination_loss(z: Tensor, bank: Tensor, video_indices: Tensor, temperature: float) -> Tensor:
    """-mean_b log exp(z_b . m_b / tau) / sum_i exp(z_b . m_i / tau).

    z [B, d] and the bank's rows m [N, d] of length 1, videos [B] the rows. (The paper prints x for z below the line.)
    With tau = 1 it stays within 2 of log N, whatever is learnt: weak by construction.
    """
    return F.cross_entropy(z @ bank.T / temperature, video_indices)
