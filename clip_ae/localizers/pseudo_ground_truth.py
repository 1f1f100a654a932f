"""TSCN's refinement (Zhai et al., ECCV 2020): both streams learn from what they said together one refinement ago.

A refinement is a quarter of the steps; from the second on G = 1[beta A_rgb + (1 - beta) A_flow > 0.5] of the network
as the last one left it. The paper makes G for whole videos between two trainings; here the frozen copy makes it for the
batch at hand, which needs no files in between. The optimizer goes on as it is.
"""

from collections.abc import Mapping

from torch import Tensor

from clip_ae.core.config.methods import Blueprint
from clip_ae.localizers.batch import Batch, Truth
from clip_ae.localizers.learner import Learner
from clip_ae.localizers.localizer import Localizer, Output
from clip_ae.localizers.teacher import Teacher
from clip_ae.losses.pseudo_ground_truth import pseudo_truth

REFINEMENTS = 4
RGB_SHARE = 0.4


class PseudoTruth(Learner):
    def __init__(self, localizer: Localizer, steps: int) -> None:
        super().__init__(localizer, steps)
        self.earlier = Teacher(localizer)
        self.length = max(1, steps // REFINEMENTS)

    @property
    def loss_weights(self) -> Mapping[str, float]:
        return {**super().loss_weights, "pseudo_truth": 1.0}

    def losses(self, output: Output, batch: Batch, truth: Truth, step: int) -> dict[str, Tensor]:
        found = super().losses(output, batch, truth, step)
        none_yet = output.streams["rgb"].attention.new_zeros(())
        return {**found, "pseudo_truth": self._loss(output, batch) if step > self.length else none_yet}

    def after_step(self, output: Output, truth: Truth, step: int) -> None:
        if step % self.length == 0:
            self.earlier.follow(self.localizer, 0.0)

    def _loss(self, output: Output, batch: Batch) -> Tensor:
        earlier, mask = self.earlier(batch).streams, batch.mask["rgb"] & batch.mask["flow"]
        fused = RGB_SHARE * earlier["rgb"].attention + (1 - RGB_SHARE) * earlier["flow"].attention
        target = (fused > 0.5).float()
        rgb, flow = (pseudo_truth(output.streams[name].attention, target, mask) for name in ("rgb", "flow"))
        return rgb + flow


def build(localizer: Localizer, blueprint: Blueprint, steps: int) -> PseudoTruth:
    return PseudoTruth(localizer, steps)
