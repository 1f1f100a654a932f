"""Some videos as tensors of one shape, and masks that tell which snippets are real."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

StreamTensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """Features [B, T, D] and masks [B, T] a stream; a snippet is real where its stream has coverage."""

    video_ids: tuple[str, ...]
    features: StreamTensors
    masks: StreamTensors

    def __post_init__(self) -> None:
        shape = (len(self.video_ids), *next(iter(self.masks.values())).shape[1:])
        for name, x in self.features.items():
            if x.ndim != 3 or x.shape[:2] != shape or self.masks[name].shape != shape:
                raise ValueError(
                    f"{name}: features {tuple(x.shape)}, mask {tuple(self.masks[name].shape)}, not {shape}"
                )


@dataclass(frozen=True)
class Targets:
    """What a batch is to learn: labels [B, C] in {0, 1}; extents [B, T, C] for the oracle alone.

    videos [B] are rows of memory banks: each training video has its own.
    """

    labels: Tensor
    video_indices: Tensor
    snippet_labels: Tensor | None = None
