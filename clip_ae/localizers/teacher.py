"""A teacher: a copy of a localizer whose weights are a moving average of the student's weights."""

import copy

import torch
from torch import nn

from clip_ae.localizers.batch import Batch
from clip_ae.localizers.localizer import Localizer, LocalizerOutput


class Teacher(nn.Module):
    """A copy of the student without gradients."""

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
        """w = decay w + (1 - decay) w_student; a decay of 0 copies the student."""
        pairs = zip(self.localizer.parameters(), student.parameters(), strict=True)
        for weight, student_weight in pairs:
            weight.lerp_(student_weight, 1.0 - decay)
