"""The training loop of the demo's own networks, and the interface of the clips that they are trained on."""

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
# Share of the steps in which the learning rate rises; the few steps leave no time for a longer warm-up.
WARMUP_FRACTION = 0.1
# Share of the clips that no network is trained on: the last ones.
HELD_OUT_FRACTION = 1 / 6


class TrainingClip(Protocol):
    """A generated clip, rendered on demand: uint8 frames [num_frames, H, W, 3], sound [15600] at 16 kHz."""

    def render_frames(self, num_frames: int) -> NDArray[np.uint8]: ...
    def render_audio(self) -> NDArray[np.float32]: ...
    @property
    def label(self) -> int: ...
    @property
    def captions(self) -> tuple[str, ...]: ...


def count_training_clips(num_clips: int) -> int:
    """Number of training clips among `num_clips`; the others are held out."""
    return num_clips - max(1, round(num_clips * HELD_OUT_FRACTION))


def optimize(
    network: nn.Module,
    compute_loss: Callable[[NDArray[np.int64]], Tensor],
    batches: Sequence[NDArray[np.int64]],
    learning_rate: float,
    label: str,
) -> None:
    """Train the network by AdamW with a one-cycle learning rate; `compute_loss` takes the clip indices of a batch."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=len(batches), pct_start=compute_warmup_fraction(len(batches))
    )
    network.train()
    for batch in track(batches, label, unit="steps"):
        optimizer.zero_grad()
        compute_loss(batch).backward()
        optimizer.step()
        scheduler.step()
    network.eval()


def compute_warmup_fraction(num_steps: int) -> float:
    """Share of the steps in which the learning rate rises: WARMUP_FRACTION, but 0 if that is exactly one step.

    OneCycleLR divides by the length of the rise minus 1. With fewer steps its rise is empty, too.
    """
    return 0.0 if WARMUP_FRACTION * num_steps == 1 else WARMUP_FRACTION


def make_batches(num_clips: int, schedule: PretrainSchedule, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Clip indices of each batch, in random order; full batches only, as BatchNorm and InfoNCE need several clips."""
    size = min(schedule.batch_size, num_clips)
    orders = (rng.permutation(num_clips) for _ in range(schedule.epochs))
    return [order[i : i + size] for order in orders for i in range(0, num_clips - size + 1, size)]
