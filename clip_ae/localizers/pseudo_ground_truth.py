"""TSCN's refinement (Zhai et al., ECCV 2020): all streams learn from their fused attention one refinement earlier.

A refinement is a quarter of the steps. From the second one on, the target is G = 1[A > mean_t A] with
A = beta A_rgb + (1 - beta) A_flow, of the network as it was at the end of the previous refinement. With other cbp
streams than rgb and flow, A is the mean over the streams. The paper's threshold is 0.5 (`attention_targets: half`):
attention that is on one side of it everywhere teaches a constant, as UGCT's does.

The paper computes G for whole videos between two trainings; here a frozen copy of the network computes it for the
current batch, which needs no files in between. The optimizer continues.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from clip_ae.core.config.methods import LocalizerConfig, TscnSwitches
from clip_ae.localizers.attention_targets import make_attention_targets
from clip_ae.localizers.batch import Batch, Targets, common_mask
from clip_ae.localizers.learner import Learner
from clip_ae.localizers.localizer import Localizer, LocalizerOutput
from clip_ae.localizers.teacher import Teacher
from clip_ae.losses.pseudo_ground_truth import pseudo_ground_truth_loss

NUM_REFINEMENTS = 4
# beta and 1 - beta, for the streams of the paper.
PAPER_WEIGHTS = {"rgb": 0.4, "flow": 0.6}


class PseudoGroundTruth(Learner):
    """The losses of the head and the pseudo ground truth of a frozen copy."""

    def __init__(self, localizer: Localizer, switches: TscnSwitches, steps: int) -> None:
        super().__init__(localizer, steps)
        self.attention_targets = switches.attention_targets
        self.previous = Teacher(localizer)
        self.refinement_steps = max(1, steps // NUM_REFINEMENTS)

    @property
    def loss_weights(self) -> Mapping[str, float]:
        return {**super().loss_weights, "pseudo_truth": 1.0}

    def losses(self, output: LocalizerOutput, batch: Batch, targets: Targets, step: int) -> dict[str, Tensor]:
        losses = super().losses(output, batch, targets, step)
        if step > self.refinement_steps:
            return {**losses, "pseudo_truth": self._pseudo_truth_loss(output, batch)}
        return {**losses, "pseudo_truth": losses["foreground"].new_zeros(())}

    def after_step(self, output: LocalizerOutput, targets: Targets, step: int) -> None:
        if step % self.refinement_steps == 0:
            self.previous.update_ema(self.localizer, 0.0)

    def _pseudo_truth_loss(self, output: LocalizerOutput, batch: Batch) -> Tensor:
        previous, mask = self.previous(batch).streams, common_mask(batch.masks, output.streams)
        weights = (
            PAPER_WEIGHTS if previous.keys() == PAPER_WEIGHTS.keys() else dict.fromkeys(previous, 1 / len(previous))
        )
        fused = torch.stack([weights[name] * stream.attention for name, stream in previous.items()]).sum(dim=0)
        target = make_attention_targets(fused, mask, self.attention_targets)
        losses = [pseudo_ground_truth_loss(stream.attention, target, mask) for stream in output.streams.values()]
        return torch.stack(losses).sum()


def build(localizer: Localizer, config: LocalizerConfig, steps: int) -> PseudoGroundTruth:
    if config.tscn is None:
        raise ValueError("localizer config: tscn is missing; the method tscn needs it")
    return PseudoGroundTruth(localizer, config.tscn, steps)
