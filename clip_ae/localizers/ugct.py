"""UGCT, uncertainty-guided collaborative training (Yang et al., CVPR 2021). Reconstructed: no code was available.

The student of each stream learns from pseudo-labels of the other stream's teacher:
    G = 1[A_teacher > mean_t A_teacher] of the other stream
With more than two streams, A_teacher is the mean of the other streams' teachers; a single stream is its own teacher
(`teachers: self` and `all` choose so for any number of streams).
    loss = base + w(t) mean_t [ exp(-U) (A - G)^2 + b U ],   w(t) = exp(-5 (1 - t / t_ramp)^2)
U is the log-uncertainty of a small branch, between 0 and 5; the branch is dropped at the end of training. Teachers are
exponential moving averages of their students. They are the final localizer, and their attention pools the descriptors
of the next round.

With a threshold of 0.5 (`attention_targets: half`) G soon has one value everywhere, by chance 0 or 1: a teacher with
all attention on one side of 0.5 moves the other stream to the same side.

The norm loss of the base has the weight w(t) too (`ramp_norm_loss`). From the first step on, it would fix attention on
whatever varies most within a video before any class is learned: after CAF, on whether there is sound.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig, UgctSwitches
from clip_ae.localizers.attention_targets import make_attention_targets
from clip_ae.localizers.batch import Batch, Targets, common_mask
from clip_ae.localizers.head import StreamOutput
from clip_ae.localizers.learner import Learner
from clip_ae.localizers.localizer import Localizer, LocalizerOutput
from clip_ae.localizers.teacher import Teacher
from clip_ae.losses.attention_pseudo import attention_pseudo_loss
from clip_ae.losses.class_pseudo import CLASS_TARGET_LOSSES

MAX_LOG_UNCERTAINTY = 5.0
NUM_DROPOUT_PASSES = 4
# The largest possible variance of numbers in [0, 1].
MAX_VARIANCE = 0.25


@dataclass(frozen=True)
class Teaching:
    """What a student learns from: attention [B, T] and class activations [B, T, K] of its teachers, averaged."""

    attention: Tensor
    cas: Tensor


class Ugct(Learner):
    """Students with teachers, pseudo-labels and uncertainty."""

    def __init__(self, localizer: Localizer, config: LocalizerConfig, steps: int) -> None:
        super().__init__(localizer, steps)
        if config.ugct is None:
            raise ValueError(f"localizer config: ugct is missing; the method {config.method} needs it")
        self.switches: UgctSwitches = config.ugct
        self.teachers = {
            name: select_teachers(self.switches.teachers, config.roles.cbp, name) for name in config.roles.cbp
        }
        self.teacher = Teacher(localizer)
        self.uncertainty = nn.ModuleDict()
        if self.switches.uncertainty == "predicted":
            for name, branch in localizer.head.branches.items():
                layer = nn.Linear(cast(int, branch.width), 1, bias=False)
                nn.init.normal_(layer.weight, std=1e-4)
                self.uncertainty[name] = layer

    @property
    def loss_weights(self) -> Mapping[str, float]:
        class_weights = {} if self.switches.class_targets == "none" else {"class_pseudo": 1.0}
        return {**super().loss_weights, "attention_pseudo": 1.0, **class_weights}

    @property
    def ramped_losses(self) -> set[str]:
        """Names of the losses on attention, whose weight is w(t)."""
        return {"attention_pseudo", "class_pseudo", *(("norm",) if self.switches.ramp_norm_loss else ())}

    @property
    def final_localizer(self) -> Localizer:
        return self.teacher.localizer

    def losses(self, output: LocalizerOutput, batch: Batch, targets: Targets, step: int) -> dict[str, Tensor]:
        losses = {**super().losses(output, batch, targets, step), **self._pseudo_losses(output, batch)}
        weight, ramped = self.ramp_weight(step), self.ramped_losses
        return {name: weight * loss if name in ramped else loss for name, loss in losses.items()}

    def after_step(self, output: LocalizerOutput, targets: Targets, step: int) -> None:
        self.teacher.update_ema(self.localizer, self.ema_decay(step))

    def ramp_weight(self, step: int) -> float:
        """w(t): losses on attention have little weight before classes are learned."""
        remaining = 1.0 - min(1.0, step / (self.switches.ramp_fraction * self.steps))
        return math.exp(-5.0 * remaining * remaining)

    def ema_decay(self, step: int) -> float:
        """The decay of a teacher: 0 (a copy) during warm-up, then an average over more and more steps.

        The limit is the configured decay, or 1 - 10 / steps if that is smaller: a short training never reaches 0.999.
        """
        steps_after_warmup = step - round(self.switches.warmup_fraction * self.steps)
        if steps_after_warmup < 0:
            return 0.0
        limit = min(self.switches.ema_decay, max(0.0, 1.0 - 10.0 / self.steps))
        return min(limit, 1.0 - 1.0 / (steps_after_warmup + 1))

    def _pseudo_losses(self, output: LocalizerOutput, batch: Batch) -> dict[str, Tensor]:
        """The losses on pseudo-labels, summed over the streams."""
        teachers = self._average_teachers(self.teacher(batch).streams)
        log_uncertainties = self._log_uncertainties(output, batch, teachers)
        uncertainty_weight = self.switches.uncertainty_weight if self.switches.uncertainty == "predicted" else 0.0
        losses: dict[str, list[Tensor]] = {"attention_pseudo": [], "class_pseudo": []}
        for name, student in output.streams.items():
            teacher, mask = teachers[name], common_mask(batch.masks, {name, *self.teachers[name]})
            target = make_attention_targets(teacher.attention, mask, self.switches.attention_targets)
            log_uncertainty = log_uncertainties[name]
            losses["attention_pseudo"].append(
                attention_pseudo_loss(student.attention, target, log_uncertainty, mask, uncertainty_weight)
            )
            if self.switches.class_targets != "none":
                # Detached: the class loss has no term b U, so it could raise U without limit.
                class_loss = CLASS_TARGET_LOSSES[self.switches.class_targets]
                losses["class_pseudo"].append(class_loss(student.cas, teacher.cas, log_uncertainty.detach(), mask))
        return {name: torch.stack(stream_losses).sum() for name, stream_losses in losses.items() if stream_losses}

    def _average_teachers(self, outputs: Mapping[str, StreamOutput]) -> dict[str, Teaching]:
        """By student, the average of its teachers."""
        return {name: average_outputs([outputs[t] for t in teachers]) for name, teachers in self.teachers.items()}

    def _log_uncertainties(
        self, output: LocalizerOutput, batch: Batch, teachers: Mapping[str, Teaching]
    ) -> dict[str, Tensor]:
        """U [B, T] of the pseudo-labels of each stream."""
        head = self.localizer.head
        if self.switches.uncertainty == "predicted":
            return {n: self._predict_log_uncertainty(n, o.embedding) for n, o in output.streams.items()}
        if self.switches.uncertainty == "dropout":
            outputs = [self.teacher(batch, dropout=True).streams for _ in range(NUM_DROPOUT_PASSES)]
            passes = [self._average_teachers(streams) for streams in outputs]
            return {
                n: _relative_variance([head.foreground_probability(p[n].cas) for p in passes]) for n in output.streams
            }
        if self.switches.uncertainty == "heads":
            return {n: _binary_kl(t.attention, head.foreground_probability(t.cas)) for n, t in teachers.items()}
        return {n: torch.zeros_like(o.attention) for n, o in output.streams.items()}

    def _predict_log_uncertainty(self, name: str, embedding: Tensor) -> Tensor:
        # Without a lower bound, U would go to -infinity wherever student and teacher agree. Even with a bound of -5, a
        # pseudo-label could have the weight exp(5) = 148, and a student could never leave a teacher that attends to
        # everything. The bound is therefore 0.
        return F.softplus(self.uncertainty[name](embedding).squeeze(-1)).clamp(max=MAX_LOG_UNCERTAINTY)


def select_teachers(choice: str, streams: Sequence[str], student: str) -> tuple[str, ...]:
    """The streams whose teachers a student learns from."""
    if choice == "self" or len(streams) == 1:
        return (student,)
    return tuple(name for name in streams if choice == "all" or name != student)


def average_outputs(outputs: Sequence[StreamOutput]) -> Teaching:
    """The means of attention and of class activations."""
    if len(outputs) == 1:
        return Teaching(outputs[0].attention, outputs[0].cas)
    attention = torch.stack([output.attention for output in outputs])
    cas = torch.stack([output.cas for output in outputs])
    return Teaching(attention.mean(dim=0), cas.mean(dim=0))


def _binary_kl(attention: Tensor, probability: Tensor) -> Tensor:
    """KL divergence between attention and the foreground probability of the class activations, at most 5."""
    attention, probability = (x.clamp(1e-4, 1 - 1e-4) for x in (attention, probability))
    foreground = attention * (attention / probability).log()
    background = (1 - attention) * ((1 - attention) / (1 - probability)).log()
    return (foreground + background).clamp(max=MAX_LOG_UNCERTAINTY)


def _relative_variance(values: list[Tensor]) -> Tensor:
    """Variance, divided by the largest possible variance."""
    return torch.stack(values).var(dim=0, unbiased=False) / MAX_VARIANCE


def build(localizer: Localizer, config: LocalizerConfig, steps: int) -> Ugct:
    return Ugct(localizer, config, steps)
