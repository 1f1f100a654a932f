"""The training loop of the demo's own networks, and the clips it learns from."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clip_ae.core.config import Pretraining
from clip_ae.core.progress import track

Tensors = dict[str, NDArray[Any]]
Figures = dict[str, float]
WEIGHT_DECAY = 0.02
# Share of the clips, the last ones, that no network learns from.
HELD_OUT = 1 / 6


class Clip(Protocol):
    """A generated clip: uint8 frames [17, H, W, 3], sound [15360] at 16 kHz, a class, a caption."""

    @property
    def frames(self) -> NDArray[np.uint8]: ...
    @property
    def wave(self) -> NDArray[np.float32]: ...
    @property
    def label(self) -> int: ...
    @property
    def caption(self) -> str: ...


def learnt_from(count: int) -> int:
    """How many of `count` clips are trained on."""
    return count - max(1, round(count * HELD_OUT))


def optimise(
    network: nn.Module, loss: Callable[[NDArray[np.int64]], Tensor], count: int, pretrain: Pretraining, label: str
) -> None:
    """AdamW under a one-cycle schedule; `loss` takes the indices of a batch out of `count`."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=pretrain.learning_rate, weight_decay=WEIGHT_DECAY)
    batches = list(shuffled(count, pretrain))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, pretrain.learning_rate, total_steps=len(batches))
    network.train()
    for batch in track(batches, label, unit="steps"):
        optimiser.zero_grad()
        loss(batch).backward()
        optimiser.step()
        schedule.step()
    network.eval()


def shuffled(count: int, pretrain: Pretraining) -> Iterator[NDArray[np.int64]]:
    """Full batches only: BatchNorm and a contrast both need company."""
    rng = np.random.default_rng((pretrain.seed, count))
    size = min(pretrain.batch, count)
    for _ in range(pretrain.epochs):
        order = rng.permutation(count)
        yield from (order[i : i + size] for i in range(0, count - size + 1, size))
