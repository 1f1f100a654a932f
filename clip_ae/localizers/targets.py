"""Labels of the training videos as tensors."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Label
from clip_ae.localizers.batch import Batch, Targets


class TargetBuilder:
    """Builds the targets of a batch from the labels of all training videos; with a grid, also snippet labels."""

    def __init__(
        self, labels: Sequence[Label], video_ids: Sequence[str], num_classes: int, grid: SnippetGrid | None = None
    ) -> None:
        self._video_indices = {i: k for k, i in enumerate(video_ids)}
        self._labels = np.zeros((len(video_ids), num_classes), np.float32)
        self._segments: dict[str, list[tuple[int, float, float]]] = {i: [] for i in video_ids}
        self._grid = grid
        for label in labels:
            self._labels[self._video_indices[label.video_id], label.cluster] = 1.0
            self._segments[label.video_id] += [(label.cluster, *segment) for segment in label.segments]

    def build_targets(self, batch: Batch, rows: Mapping[str, NDArray[np.int64]]) -> Targets:
        """The targets of a batch that contains the given rows of its videos."""
        device = next(iter(batch.features.values())).device
        indices = [self._video_indices[i] for i in batch.video_ids]
        snippet_labels = self._snippet_labels(batch, rows, self._grid).to(device) if self._grid else None
        labels = torch.from_numpy(self._labels[indices]).to(device)
        return Targets(labels, torch.tensor(indices, device=device), snippet_labels)

    def _snippet_labels(self, batch: Batch, rows: Mapping[str, NDArray[np.int64]], grid: SnippetGrid) -> Tensor:
        """[B, T, C]: 1 if the middle of the snippet is inside an action of the class."""
        length = next(iter(batch.masks.values())).shape[1]
        snippet_labels = np.zeros((len(batch.video_ids), length, self._labels.shape[1]), np.float32)
        for b, video_id in enumerate(batch.video_ids):
            middles = grid.centre(0) + rows[video_id] * grid.stride_s
            for cluster, start, stop in self._segments[video_id]:
                snippet_labels[b, : len(middles), cluster][(middles >= start) & (middles < stop)] = 1.0
        return torch.from_numpy(snippet_labels)
