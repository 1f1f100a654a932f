"""The training loop of the demo's own networks, and the clips it learns from."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clip_ae.core.config.schema import PretrainSchedule
from clip_ae.core.progress import track

Tensors = dict[str, NDArray[Any]]
Metrics = dict[str, float]
WEIGHT_DECAY = 0.02
# Share of the steps in which the learning rate rises: the budget is too short for a long one.
WARMUP_FRACTION = 0.1
# Share of the clips, the last ones, that no network learns from.
HELD_OUT_FRACTION = 1 / 6


class TrainingClip(Protocol):
    """A generated clip, drawn when asked for: uint8 frames [count, H, W, 3], sound [15360] at 16 kHz."""

    def frames(self, count: int) -> NDArray[np.uint8]: ...
    def wave(self) -> NDArray[np.float32]: ...
    @property
    def label(self) -> int: ...
    @property
    def captions(self) -> tuple[str, ...]: ...


def count_training_clips(count: int) -> int:
    """How many of `count` clips are trained on."""
    return count - max(1, round(count * HELD_OUT_FRACTION))


def optimise(
    network: nn.Module,
    loss: Callable[[NDArray[np.int64]], Tensor],
    batches: Sequence[NDArray[np.int64]],
    learning_rate: float,
    label: str,
) -> None:
    """AdamW under a one-cycle rate; `loss` takes the indices of a batch."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=len(batches), pct_start=WARMUP_FRACTION
    )
    network.train()
    for batch in track(batches, label, unit="steps"):
        optimiser.zero_grad()
        loss(batch).backward()
        optimiser.step()
        cycle.step()
    network.eval()


def make_batches(count: int, schedule: PretrainSchedule, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Full batches only: BatchNorm and a contrast both need company."""
    size = min(schedule.batch, count)
    orders = (rng.permutation(count) for _ in range(schedule.epochs))
    return [order[i : i + size] for order in orders for i in range(0, count - size + 1, size)]
