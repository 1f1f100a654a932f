"""Several videos as padded tensors with masks, and their training targets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

StreamTensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """Features [B, T, D] and masks [B, T] by stream. A snippet is real in a stream if the stream covers it."""

    video_ids: tuple[str, ...]
    features: StreamTensors
    masks: StreamTensors

    def __post_init__(self) -> None:
        shape = (len(self.video_ids), *next(iter(self.masks.values())).shape[1:])
        for name, x in self.features.items():
            if x.ndim != 3 or x.shape[:2] != shape or self.masks[name].shape != shape:
                raise ValueError(
                    f"{name}: features {tuple(x.shape)} and mask {tuple(self.masks[name].shape)}; expected {shape}"
                )


def common_mask(masks: StreamTensors, streams: Iterable[str]) -> Tensor:
    """[B, T]: the snippets that all the given streams cover."""
    return reduce(torch.logical_and, (masks[name] for name in streams))


@dataclass(frozen=True)
class Targets:
    """Training targets of a batch.

    labels [B, C] in {0, 1}; video_indices [B]: each video's row in the memory banks; snippet_labels [B, T, C], for the
    oracle only.
    """

    labels: Tensor
    video_indices: Tensor
    snippet_labels: Tensor | None = None
