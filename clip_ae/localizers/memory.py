"""A bank with a vector for every training video, which follows the network's by momentum (IDFD, ICLR 2021)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Memory(nn.Module):
    """Rows of length 1; no gradient."""

    bank: Tensor

    def __init__(self, videos: int, dim: int, momentum: float) -> None:
        super().__init__()
        limit = (dim / 3) ** -0.5
        self.register_buffer("bank", F.normalize(torch.empty(videos, dim).uniform_(-limit, limit), dim=1))
        self.momentum = momentum

    @torch.no_grad()
    def update(self, videos: Tensor, z: Tensor) -> None:
        """m = norm(momentum m + (1 - momentum) z); a video that is twice in a batch counts with its mean."""
        count = torch.zeros_like(self.bank[:, :1]).index_add_(0, videos, torch.ones_like(self.bank[videos, :1]))
        mean = torch.zeros_like(self.bank).index_add_(0, videos, z.to(self.bank.dtype)) / count.clamp(min=1)
        moved = F.normalize(self.momentum * self.bank + (1 - self.momentum) * mean, dim=1)
        self.bank.copy_(torch.where(count > 0, moved, self.bank))
