"""Some videos as tensors of one shape: T snippets each, and a mask that tells which are real."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.types import Streams, VideoFeatures


@dataclass(frozen=True)
class Batch:
    """Features [B, T, D] and masks [B, T] a stream; a snippet is real where its stream has coverage."""

    ids: tuple[str, ...]
    features: dict[str, Tensor]
    mask: dict[str, Tensor]

    def to(self, device: str) -> "Batch":
        features = {name: x.to(device) for name, x in self.features.items()}
        return Batch(self.ids, features, {name: x.to(device) for name, x in self.mask.items()})


def collate(streams: Streams, ids: Sequence[str], rows: Mapping[str, NDArray[np.int64]], length: int) -> Batch:
    """The chosen rows of each video, padded to one length. Streams of a video share its rows."""
    padded = {name: [_padded(videos[i], rows[i], length) for i in ids] for name, videos in streams.items()}
    features = {name: torch.from_numpy(np.stack([x for x, _ in videos])) for name, videos in padded.items()}
    mask = {name: torch.from_numpy(np.stack([m for _, m in videos])) for name, videos in padded.items()}
    return Batch(tuple(ids), features, mask)


def whole(streams: Streams, video_id: str) -> Batch:
    """One video at its native length."""
    length = len(next(iter(streams.values()))[video_id].feature)
    return collate(streams, [video_id], {video_id: np.arange(length)}, length)


def sample(length: int, snippets: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most `snippets` rows in order: all of a short video, one from each equal part of a long one."""
    if length <= snippets:
        return np.arange(length)
    edges = np.linspace(0, length, snippets + 1).astype(np.int64)
    return edges[:-1] + (rng.random(snippets) * np.diff(edges)).astype(np.int64)


def shuffled(ids: Sequence[str], size: int, rng: np.random.Generator) -> Iterator[list[str]]:
    """Batches without end: one random order of the videos after another, cut into equal parts."""
    queue: list[str] = []
    while True:
        while len(queue) < size:
            queue += [ids[k] for k in rng.permutation(len(ids))]
        yield queue[:size]
        queue = queue[size:]


def _padded(
    video: VideoFeatures, rows: NDArray[np.int64], length: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    features = np.zeros((length, video.feature.shape[1]), np.float32)
    mask = np.zeros(length, np.bool_)
    features[: len(rows)] = video.feature[rows]
    mask[: len(rows)] = video.coverage[rows] > 0
    return features, mask
