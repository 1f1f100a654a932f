"""How a localizer learns: here from its head's own losses alone. Methods that need more are learners of their own.

A learner's module is named in core/tables and offers `build(localizer, blueprint, steps)`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.localizer import Localizer, LocalizerOutput


class Learner(nn.Module):
    """A localizer in training. All that a training must remember is in its state."""

    def __init__(self, localizer: Localizer, steps: int) -> None:
        super().__init__()
        self.localizer = localizer
        self.steps = steps

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """Where the config names none."""
        return self.localizer.head.loss_weights

    @property
    def final_localizer(self) -> Localizer:
        """What is kept when training ends."""
        return self.localizer

    def losses(self, output: LocalizerOutput, batch: Batch, targets: Targets, step: int) -> dict[str, Tensor]:
        """By name, without the config's weights."""
        return self.localizer.head.losses(output.streams, batch.masks, targets)

    def after_step(self, output: LocalizerOutput, targets: Targets, step: int) -> None:
        """What changes by other means than gradients."""

    @torch.no_grad()
    def diagnostics(self, output: LocalizerOutput, batch: Batch) -> dict[str, float]:
        """Figures beside the losses that tell how training goes: attention that spreads no more has collapsed."""
        found = {}
        for name, stream in output.streams.items():
            rows = zip(stream.attention, batch.masks[name], strict=True)
            # A batch may lack a stream altogether.
            values = [a[real] for a, real in rows if real.any()] or [stream.attention.new_zeros(1)]
            found[f"attention {name}"] = float(torch.stack([a.mean() for a in values]).mean())
            found[f"spread {name}"] = float(torch.stack([a.std(unbiased=False) for a in values]).mean())
        return found


def build(localizer: Localizer, config: LocalizerConfig, steps: int) -> Learner:
    return Learner(localizer, steps)
