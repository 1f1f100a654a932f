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

    def render_frames(self, num_frames: int) -> NDArray[np.uint8]: ...
    def render_audio(self) -> NDArray[np.float32]: ...
    @property
    def label(self) -> int: ...
    @property
    def captions(self) -> tuple[str, ...]: ...


def count_training_clips(num_clips: int) -> int:
    """How many of `count` clips are trained on."""
    return num_clips - max(1, round(num_clips * HELD_OUT_FRACTION))


def optimise(
    network: nn.Module,
    compute_loss: Callable[[NDArray[np.int64]], Tensor],
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
        compute_loss(batch).backward()
        optimiser.step()
        cycle.step()
    network.eval()


def make_batches(num_clips: int, schedule: PretrainSchedule, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Full batches only: BatchNorm and a contrast both need company."""
    size = min(schedule.batch_size, num_clips)
    orders = (rng.permutation(num_clips) for _ in range(schedule.epochs))
    return [order[i : i + size] for order in orders for i in range(0, num_clips - size + 1, size)]
