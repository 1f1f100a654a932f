"""The learner: the training side of a localizer. This one has the losses of the head only.

Methods that need more have a learner of their own, in a module that the registry names and that provides
`build(localizer, config, steps)`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.localizer import Localizer, LocalizerOutput


class Learner(nn.Module):
    """A localizer in training. Its state_dict contains all state of the training except the optimizer's."""

    def __init__(self, localizer: Localizer, steps: int) -> None:
        super().__init__()
        self.localizer = localizer
        self.steps = steps

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """Weights of the losses that the config does not mention."""
        return self.localizer.head.loss_weights

    @property
    def final_localizer(self) -> Localizer:
        """The localizer to save at the end of training."""
        return self.localizer

    def losses(self, output: LocalizerOutput, batch: Batch, targets: Targets, step: int) -> dict[str, Tensor]:
        """The losses by name, without the weights of the config."""
        return self.localizer.head.losses(output.streams, batch.masks, targets)

    def after_step(self, output: LocalizerOutput, targets: Targets, step: int) -> None:
        """Update state that is not trained by gradients: teachers, memory banks."""

    @torch.no_grad()
    def diagnostics(self, output: LocalizerOutput, batch: Batch) -> dict[str, float]:
        """Values to monitor training: mean and spread of attention by stream. A spread of 0 means collapsed attention.

        The spread is the standard deviation within a video, averaged over videos.
        """
        values = {}
        for name, stream in output.streams.items():
            pairs = zip(stream.attention, batch.masks[name], strict=True)
            # A batch can lack a stream altogether.
            attention = [a[mask] for a, mask in pairs if mask.any()] or [stream.attention.new_zeros(1)]
            values[f"attention {name}"] = float(torch.stack([a.mean() for a in attention]).mean())
            values[f"spread {name}"] = float(torch.stack([a.std(unbiased=False) for a in attention]).mean())
        return values


def build(localizer: Localizer, config: LocalizerConfig, steps: int) -> Learner:
    return Learner(localizer, steps)
