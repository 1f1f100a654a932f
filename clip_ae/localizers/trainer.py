"""The whole story of one round's training: fixed steps, no validation, the last step is the result.

Everything drawn at random is a function of the seed and the step, so that on a CPU a training that was killed goes on
from its last checkpoint to the same bytes. (On a GPU the fast attention kernel adds up in no fixed order.)
"""

from collections.abc import Iterator, Mapping
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
from clip_ae.localizers import localizer
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.feature_table import FeatureTable, sample_snippets, select_batch_videos
from clip_ae.localizers.learner import Learner
from clip_ae.localizers.localizer import LocalizerOutput
from clip_ae.localizers.targets import TargetBuilder

StateArrays = dict[str, NDArray[Any]]
# A line of the log: the step, the mean of every loss since the last line, and what the learner watches.
LogLine = dict[str, Any]


# What shapes attention maps and uncertainty has gradients far below its decay. Adam makes full steps of whatever is
# left, so decay would flatten every map.
NO_WEIGHT_DECAY = {"query", "key", "correlation", "scale", "uncertainty"}


def create_learner(config: LocalizerConfig, steps: int, seed: int, precision: str = "fp32") -> Learner:
    """A fresh learner; the seed alone decides its weights."""
    torch.manual_seed(seed)
    built = localizer.build(config, precision)
    learner: Learner = load_module(METHODS[config.method].learner_module).build(built, config, steps)
    return learner


@dataclass
class Trainer:
    """A learner, what it learns from, and how far it is."""

    learner: Learner
    feature_table: FeatureTable
    target_builder: TargetBuilder
    settings: Training
    loss_weights: Mapping[str, float]
    seed: int
    device: str
    step: int = 0

    def __post_init__(self) -> None:
        self.learner.to(self.device).train()
        self.loss_weights = {**self.learner.loss_weights, **self.loss_weights}
        groups = _groups(self.learner, self.settings.weight_decay)
        self.optimizer = torch.optim.Adam(groups, lr=self.settings.learning_rate)

    def train_steps(self) -> Iterator[LogLine | None]:
        """One step an item; an item is a line of the log every `log_every` steps, when nothing is left to remember."""
        since: list[dict[str, float]] = []
        while self.step < self.settings.steps:
            self.step += 1
            batch, output, losses = self._learn()
            # One transfer: on a GPU each would wait for all that is under way.
            values = torch.stack(list(losses.values())).tolist()
            since.append(dict(zip(losses, values, strict=True)))
            _refuse_non_finite(since[-1], self.step, batch)
            if self.step % self.settings.log_every and self.step < self.settings.steps:
                yield None
                continue
            means = {name: float(np.mean([s[name] for s in since])) for name in losses}
            watched = self.learner.diagnostics(output, batch)
            since = []
            yield {"step": self.step, **means, **({"diagnostics": watched} if watched else {})}

    def _learn(self) -> tuple[Batch, LocalizerOutput, dict[str, Tensor]]:
        """One step: draw, forward, losses, backward, update."""
        torch.manual_seed(self.seed * 1_000_003 + self.step)
        batch, truth = self._draw()
        output = self.learner.localizer(batch)
        losses = self.learner.losses(output, batch, truth, self.step)
        losses["total"] = torch.stack([self.loss_weights[name] * loss for name, loss in losses.items()]).sum()
        self.optimizer.zero_grad()
        losses["total"].backward()
        self.optimizer.step()
        self.learner.after_step(output, truth, self.step)
        return batch, output, losses

    def _draw(self) -> tuple[Batch, Targets]:
        rng = np.random.default_rng([self.seed, 1, self.step])
        ids = select_batch_videos(self.feature_table.video_ids, self.settings.batch_size, self.step - 1, self.seed)
        rows = {i: sample_snippets(self.feature_table.lengths[i], self.settings.snippets, rng) for i in ids}
        batch = self.feature_table.batch(ids, rows)
        return batch, self.target_builder.build_targets(batch, rows)

    def state_arrays(self) -> StateArrays:
        """All that the rest of a training depends on."""
        tensors = {f"learner.{name}": tensor for name, tensor in self.learner.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in moments.items()}
        return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}

    def resume(self, state: Mapping[str, NDArray[Any]], step: int) -> None:
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
        own = {n.removeprefix("learner."): t for n, t in tensors.items() if n.startswith("learner.")}
        self.learner.load_state_dict(own)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, number, key = name.split(".")
                moments.setdefault(int(number), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.step = step


def _groups(learner: Learner, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters that learn, with their decay."""
    learning = [(n, p) for n, p in learner.named_parameters() if p.requires_grad]
    kept = [p for n, p in learning if NO_WEIGHT_DECAY.isdisjoint(n.split("."))]
    free = [p for n, p in learning if not NO_WEIGHT_DECAY.isdisjoint(n.split("."))]
    return [{"params": kept, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


def _refuse_non_finite(losses: Mapping[str, float], step: int, batch: Batch) -> None:
    for name, value in losses.items():
        if not np.isfinite(value):
            raise UserError(
                f"training step {step}: the {name} loss is {value} on videos {', '.join(batch.video_ids)}; "
                "lower training.learning_rate, or look at these videos' features"
            )
