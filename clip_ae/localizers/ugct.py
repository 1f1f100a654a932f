"""UGCT, uncertainty-guided collaborative training (Yang et al., CVPR 2021). Reconstructed: no code could be had.

Each stream's student learns from the pseudo-labels of the other stream's teacher:
    G = 1[A_teacher > mean_t A_teacher] of the other stream
    loss = base + w(t) mean_t [ exp(-U) (A - G)^2 + b U ],   w(t) = exp(-5 (1 - t / t_ramp)^2)
U is a light branch's log-uncertainty, between 0 and 5, and dropped when training ends. Teachers follow their students
by an exponential moving average; they localize, and their attention pools the next round's descriptors.

Cut at 0.5 (`attention_targets: half`) G soon is one value everywhere, by chance 0 or 1: a teacher whose attention lies
on one side of it teaches the other stream to lie there too.

The base's norm loss has w(t) as well (`ramp_norm_loss`). From the first step on it would settle attention on whatever
varies most within a video, before any class is known: behind CAF that is whether there is sound.
"""

import math
from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig, UgctSwitches
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.head import StreamOutput
from clip_ae.localizers.learner import Learner
from clip_ae.localizers.localizer import Localizer, LocalizerOutput
from clip_ae.localizers.teacher import Teacher
from clip_ae.losses.attention_pseudo import attention_pseudo_loss
from clip_ae.losses.class_pseudo import CLASS_TARGET_LOSSES

OTHER_STREAM = {"rgb": "flow", "flow": "rgb"}
MAX_LOG_UNCERTAINTY = 5.0
NUM_DROPOUT_PASSES = 4
# The largest variance that numbers in [0, 1] can have.
MAX_VARIANCE = 0.25


class Ugct(Learner):
    def __init__(self, localizer: Localizer, config: LocalizerConfig, steps: int) -> None:
        super().__init__(localizer, steps)
        assert config.ugct is not None
        self.switches: UgctSwitches = config.ugct
        self.teacher = Teacher(localizer)
        self.uncertainty = nn.ModuleDict()
        if self.switches.uncertainty == "predicted":
            for name, branch in localizer.head.branches.items():
                layer = nn.Linear(cast(int, branch.width), 1, bias=False)
                nn.init.normal_(layer.weight, std=1e-4)
                self.uncertainty[name] = layer

    @property
    def loss_weights(self) -> Mapping[str, float]:
        classes = {} if self.switches.class_targets == "none" else {"class_pseudo": 1.0}
        return {**super().loss_weights, "attention_pseudo": 1.0, **classes}

    @property
    def ramped_losses(self) -> set[str]:
        """Losses of what attention should be, whose weight is w(t)."""
        return {"attention_pseudo", "class_pseudo", *(("norm",) if self.switches.ramp_norm_loss else ())}

    @property
    def final_localizer(self) -> Localizer:
        return self.teacher.localizer

    def losses(self, output: LocalizerOutput, batch: Batch, targets: Targets, step: int) -> dict[str, Tensor]:
        found = {**super().losses(output, batch, targets, step), **self._pseudo_losses(output, batch)}
        return {
            name: self.ramp_weight(step) * loss if name in self.ramped_losses else loss for name, loss in found.items()
        }

    def after_step(self, output: LocalizerOutput, targets: Targets, step: int) -> None:
        self.teacher.update_ema(self.localizer, self.ema_decay(step))

    def ramp_weight(self, step: int) -> float:
        """w(t): little is asked of attention while little is known of the classes."""
        left = 1.0 - min(1.0, step / (self.switches.ramp_fraction * self.steps))
        return math.exp(-5.0 * left * left)

    def ema_decay(self, step: int) -> float:
        """alpha: a copy during the warm-up, then an average over ever more steps. A short run never gets to 0.999."""
        since = step - round(self.switches.warmup_fraction * self.steps)
        if since < 0:
            return 0.0
        return min(self.switches.ema_decay, max(0.0, 1.0 - 10.0 / self.steps), 1.0 - 1.0 / (since + 1))

    def _pseudo_losses(self, output: LocalizerOutput, batch: Batch) -> dict[str, Tensor]:
        taught = self.teacher(batch).streams
        sums: dict[str, list[Tensor]] = {"attention_pseudo": [], "class_pseudo": []}
        doubts = self._doubts(output, batch, taught)
        for name, student in output.streams.items():
            other, mask = taught[OTHER_STREAM[name]], batch.masks[name] & batch.masks[OTHER_STREAM[name]]
            target = self._target(other.attention, mask)
            bound = self.switches.uncertainty_weight if self.switches.uncertainty == "predicted" else 0.0
            sums["attention_pseudo"].append(attention_pseudo_loss(student.attention, target, doubts[name], mask, bound))
            if self.switches.class_targets != "none":
                loss = CLASS_TARGET_LOSSES[self.switches.class_targets]
                sums["class_pseudo"].append(loss(student.cas, other.cas, doubts[name].detach(), mask))
        return {name: torch.stack(losses).sum() for name, losses in sums.items() if losses}

    def _target(self, attention: Tensor, mask: Tensor) -> Tensor:
        """G [B, T]."""
        if self.switches.attention_targets == "soft":
            return attention
        share = (attention * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        return (attention > (share if self.switches.attention_targets == "mean" else 0.5)).float()

    def _doubts(self, output: LocalizerOutput, batch: Batch, taught: Mapping[str, StreamOutput]) -> dict[str, Tensor]:
        """U [B, T] of what each stream is taught."""
        kind, head = self.switches.uncertainty, self.localizer.head
        if kind == "predicted":
            return {n: self._predicted(n, o.embedding) for n, o in output.streams.items()}
        if kind == "dropout":
            passes = [self.teacher(batch, dropout=True).streams for _ in range(NUM_DROPOUT_PASSES)]
            return {
                n: _spread([head.foreground_probability(p[OTHER_STREAM[n]].cas) for p in passes])
                for n in output.streams
            }
        if kind == "heads":
            others = {n: taught[OTHER_STREAM[n]] for n in output.streams}
            return {n: _disagreement(o.attention, head.foreground_probability(o.cas)) for n, o in others.items()}
        return {n: torch.zeros_like(o.attention) for n, o in output.streams.items()}

    def _predicted(self, name: str, embedding: Tensor) -> Tensor:
        # Unbounded below, U would run to -infinity wherever student and teacher agree; even down to -5 a pseudo-label
        # would count 148 times, and a teacher that attends to everything could never be left. So U is not below 0.
        return F.softplus(self.uncertainty[name](embedding).squeeze(-1)).clamp(max=MAX_LOG_UNCERTAINTY)


def _disagreement(attention: Tensor, share: Tensor) -> Tensor:
    """KL divergence between attention and what the class activations say of the same snippets."""
    attention, share = (x.clamp(1e-4, 1 - 1e-4) for x in (attention, share))
    yes = attention * (attention / share).log()
    return (yes + (1 - attention) * ((1 - attention) / (1 - share)).log()).clamp(max=MAX_LOG_UNCERTAINTY)


def _spread(values: list[Tensor]) -> Tensor:
    """Variance, as a share of the widest."""
    return torch.stack(values).var(dim=0, unbiased=False) / MAX_VARIANCE


def build(localizer: Localizer, config: LocalizerConfig, steps: int) -> Ugct:
    return Ugct(localizer, config, steps)
