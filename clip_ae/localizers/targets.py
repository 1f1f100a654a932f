"""What the training videos' labels say, as tensors."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Label
from clip_ae.localizers.batch import Batch, Targets


class TargetBuilder:
    """Labels of all training videos; with a grid, where in them each class acts."""

    def __init__(
        self, labels: Sequence[Label], video_ids: Sequence[str], num_classes: int, grid: SnippetGrid | None = None
    ) -> None:
        self._place = {i: k for k, i in enumerate(video_ids)}
        self._labels = np.zeros((len(video_ids), num_classes), np.float32)
        self._segments: dict[str, list[tuple[int, float, float]]] = {i: [] for i in video_ids}
        self._grid = grid
        for label in labels:
            self._labels[self._place[label.video_id], label.cluster] = 1.0
            self._segments[label.video_id] += [(label.cluster, *segment) for segment in label.segments]

    def build_targets(self, batch: Batch, rows: Mapping[str, NDArray[np.int64]]) -> Targets:
        device = next(iter(batch.features.values())).device
        videos = [self._place[i] for i in batch.video_ids]
        extents = self._extents(batch, rows).to(device) if self._grid else None
        return Targets(torch.from_numpy(self._labels[videos]).to(device), torch.tensor(videos, device=device), extents)

    def _extents(self, batch: Batch, rows: Mapping[str, NDArray[np.int64]]) -> Tensor:
        """[B, T, C]: 1 where the middle of a snippet lies in an instance."""
        length = next(iter(batch.masks.values())).shape[1]
        extents = np.zeros((len(batch.video_ids), length, self._labels.shape[1]), np.float32)
        assert self._grid is not None
        for b, i in enumerate(batch.video_ids):
            middles = self._grid.centre(0) + rows[i] * self._grid.stride_s
            for cluster, start, stop in self._segments[i]:
                extents[b, : len(middles), cluster][(middles >= start) & (middles < stop)] = 1.0
        return torch.from_numpy(extents)
