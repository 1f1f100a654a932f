"""A memory bank: one vector for each training video, a moving average of the network's outputs (IDFD, ICLR 2021)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MemoryBank(nn.Module):
    """`bank` [num_videos, dim]: rows of unit length, without gradient."""

    bank: Tensor

    def __init__(self, num_videos: int, dim: int, momentum: float) -> None:
        super().__init__()
        limit = (dim / 3) ** -0.5
        self.register_buffer("bank", F.normalize(torch.empty(num_videos, dim).uniform_(-limit, limit), dim=1))
        self.momentum = momentum

    @torch.no_grad()
    def update(self, video_indices: Tensor, z: Tensor) -> None:
        """m = norm(momentum m + (1 - momentum) z) for the given rows, which must be distinct."""
        self.bank[video_indices] = F.normalize(
            self.momentum * self.bank[video_indices] + (1 - self.momentum) * z, dim=1
        )
