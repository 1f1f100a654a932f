"""A copy of a localizer that learns from its student's weights alone."""

import copy

import torch
from torch import nn

from clip_ae.localizers.batch import Batch
from clip_ae.localizers.localizer import Localizer, LocalizerOutput


class Teacher(nn.Module):
    def __init__(self, student: Localizer) -> None:
        super().__init__()
        self.localizer = copy.deepcopy(student).requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, batch: Batch, *, dropout: bool = False) -> LocalizerOutput:
        output: LocalizerOutput = self.localizer.train(dropout)(batch)
        self.localizer.eval()
        return output

    @torch.no_grad()
    def update_ema(self, student: Localizer, decay: float) -> None:
        """w = keep w + (1 - keep) student's w; 0 makes it a copy."""
        pairs = zip(self.localizer.parameters(), student.parameters(), strict=True)
        for own, others in pairs:
            own.lerp_(others, 1.0 - decay)
