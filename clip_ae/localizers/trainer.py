"""Training of a localizer in one round: a fixed number of steps, no validation; the last step is the result.

All random draws are functions of the seed and the step. On a CPU, a training that was killed therefore resumes from its
last checkpoint to the same bytes. (On a GPU the fast attention kernel adds in no fixed order.)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.core.config.registry import METHODS, load_module
from clip_ae.core.config.training import Training
from clip_ae.core.errors import UserError
from clip_ae.core.progress import track
from clip_ae.localizers import localizer
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.feature_table import FeatureTable, sample_snippets, select_batch_videos
from clip_ae.localizers.learner import Learner
from clip_ae.localizers.localizer import LocalizerOutput
from clip_ae.localizers.ridge import RidgeLearner
from clip_ae.localizers.targets import TargetBuilder

StateArrays = dict[str, NDArray[Any]]
# A line of the log: the step, the mean of each loss since the previous line, and the learner's diagnostics.
LogLine = dict[str, Any]

# Parameters of attention maps and of uncertainty, without weight decay. Their gradients are much smaller than the decay
# term; Adam normalises the sum, so decay would dominate and make all maps uniform.
NO_WEIGHT_DECAY = {"query", "key", "correlation", "scale", "uncertainty"}
# Parameters of the projection P of CAF's and CCP's features, whose learning rate has a factor.
FUSION = ("front_end", "projection")


def create_learner(config: LocalizerConfig, steps: int, seed: int, precision: str = "fp32") -> Learner:
    """A new learner; its initial weights depend on the seed only."""
    torch.manual_seed(seed)
    network = localizer.build(config, precision)
    learner: Learner = load_module(METHODS[config.method].learner_module).build(network, config, steps)
    return learner


@dataclass
class Trainer:
    """A learner, its optimizer and its data. num_steps_done counts the steps of a resumed training too."""

    learner: Learner
    feature_table: FeatureTable
    target_builder: TargetBuilder
    settings: Training
    loss_weights: Mapping[str, float]
    seed: int
    device: str
    num_steps_done: int = 0

    def __post_init__(self) -> None:
        self.learner.to(self.device).train()
        self.loss_weights = {**self.learner.loss_weights, **self.loss_weights}
        self.optimizer = torch.optim.Adam(_parameter_groups(self.learner, self.settings))
        self._unlogged_losses: list[dict[str, float]] = []

    def step(self) -> LogLine | None:
        """Train one step. Return a log line every `log_every` steps and at the last step.

        After a log line, state_arrays() is the complete state of the training.
        """
        self.num_steps_done += 1
        if isinstance(self.learner, RidgeLearner):
            fitted = self.learner.fit(self.feature_table, self.target_builder)
            return {"step": self.num_steps_done, "total": fitted["squared_error"], "diagnostics": fitted}
        batch, output, losses = self._update_weights()
        # One transfer for all losses: on a GPU each transfer waits for all queued work.
        values = torch.stack(list(losses.values())).tolist()
        self._unlogged_losses.append(dict(zip(losses, values, strict=True)))
        _refuse_non_finite(self._unlogged_losses[-1], self.num_steps_done, batch)
        if self.num_steps_done % self.settings.log_every and self.num_steps_done < self.settings.steps:
            return None
        means = {name: float(np.mean([values[name] for values in self._unlogged_losses])) for name in losses}
        diagnostics = self.learner.diagnostics(output, batch)
        self._unlogged_losses = []
        return {"step": self.num_steps_done, **means, **({"diagnostics": diagnostics} if diagnostics else {})}

    def _update_weights(self) -> tuple[Batch, LocalizerOutput, dict[str, Tensor]]:
        """Draw a batch, then forward, losses, backward and update."""
        torch.manual_seed(self.seed * 1_000_003 + self.num_steps_done)
        batch, targets = self._draw_batch()
        output = self.learner.localizer(batch)
        losses = self.learner.losses(output, batch, targets, self.num_steps_done)
        losses["total"] = torch.stack([self.loss_weights[name] * loss for name, loss in losses.items()]).sum()
        self.optimizer.zero_grad()
        losses["total"].backward()
        self.optimizer.step()
        self.learner.after_step(output, targets, self.num_steps_done)
        return batch, output, losses

    def _draw_batch(self) -> tuple[Batch, Targets]:
        """The batch and the targets of the current step."""
        rng = np.random.default_rng([self.seed, 1, self.num_steps_done])
        table, settings = self.feature_table, self.settings
        video_ids = select_batch_videos(table.video_ids, settings.batch_size, self.num_steps_done - 1, self.seed)
        rows = {i: sample_snippets(table.lengths[i], settings.snippets, rng) for i in video_ids}
        batch = table.batch(video_ids, rows)
        return batch, self.target_builder.build_targets(batch, rows)

    @property
    def is_closed_form(self) -> bool:
        """Whether the first step is the whole training."""
        return isinstance(self.learner, RidgeLearner)

    def state_arrays(self) -> StateArrays:
        """The state of the learner and of the optimizer, by name: input of `resume`."""
        tensors = {f"learner.{name}": tensor for name, tensor in self.learner.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in moments.items()}
        return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}

    def resume(self, state: Mapping[str, NDArray[Any]], num_steps_done: int) -> None:
        """Load the output of `state_arrays` and go on after that step."""
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
        learner_state = {n.removeprefix("learner."): t for n, t in tensors.items() if n.startswith("learner.")}
        self.learner.load_state_dict(learner_state)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, number, key = name.split(".")
                moments.setdefault(int(number), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.num_steps_done = num_steps_done


def train_localizer(trainer: Trainer, on_log_line: Callable[[LogLine], None] | None = None) -> list[LogLine]:
    """Train to the last step and return the log lines. `on_log_line` is called after each of them."""
    lines: list[LogLine] = []
    num_steps = 1 if trainer.is_closed_form else trainer.settings.steps
    for _ in track(range(trainer.num_steps_done, num_steps), "train", unit="step"):
        line = trainer.step()
        if line is not None:
            lines.append(line)
            if on_log_line:
                on_log_line(line)
    return lines


def _parameter_groups(learner: Learner, settings: Training) -> list[dict[str, Any]]:
    """The trainable parameters in three optimizer groups: the projection P, others with weight decay, and without."""
    trainable = [(n.split("."), p) for n, p in learner.named_parameters() if p.requires_grad]
    fusion = [p for parts, p in trainable if set(FUSION) <= set(parts)]
    others = [(parts, p) for parts, p in trainable if not set(FUSION) <= set(parts)]
    rate, decay = settings.learning_rate, settings.weight_decay
    return [
        {"params": [p for parts, p in others if NO_WEIGHT_DECAY.isdisjoint(parts)], "lr": rate, "weight_decay": decay},
        {
            "params": [p for parts, p in others if not NO_WEIGHT_DECAY.isdisjoint(parts)],
            "lr": rate,
            "weight_decay": 0.0,
        },
        {"params": fusion, "lr": settings.fusion_rate * rate, "weight_decay": decay},
    ]


def _refuse_non_finite(losses: Mapping[str, float], step: int, batch: Batch) -> None:
    for name, value in losses.items():
        if not np.isfinite(value):
            raise UserError(
                f"training step {step}: the {name} loss is {value} on videos {', '.join(batch.video_ids)}; "
                "lower training.learning_rate, or check the features of these videos"
            )
