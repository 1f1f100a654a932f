"""The features of many videos, laid on the device once: a batch is then rows picked from one tensor a stream.

Half precision as in the shards: all four streams of THUMOS14's 200 training videos take a third of a GB.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.types import FeaturesByStream, VideoFeatures
from clip_ae.localizers.batch import Batch

Rows = NDArray[np.int64]


class FeatureTable:
    """Videos by id. A last row of zeros, covered by nothing, stands for padding."""

    def __init__(self, streams: FeaturesByStream, device: str) -> None:
        videos = next(iter(streams.values()))
        self.lengths = {i: len(video.feature) for i, video in videos.items()}
        starts = np.cumsum([0, *self.lengths.values()])
        self._first = dict(zip(self.lengths, starts.tolist(), strict=False))
        self._padding = int(starts[-1])
        self._features = {name: _features(videos.values()).to(device) for name, videos in streams.items()}
        self._covered = {name: _covered(videos.values()).to(device) for name, videos in streams.items()}
        self._device = device

    @property
    def video_ids(self) -> tuple[str, ...]:
        return tuple(self.lengths)

    def batch(self, video_ids: Sequence[str], rows: Mapping[str, Rows]) -> Batch:
        """The chosen rows of each video, padded to the longest. Streams of a video share its rows."""
        index = np.full((len(video_ids), max(len(rows[i]) for i in video_ids)), self._padding)
        for place, i in enumerate(video_ids):
            index[place, : len(rows[i])] = self._first[i] + rows[i]
        picked = torch.from_numpy(index).to(self._device)
        features = {name: table[picked].float() for name, table in self._features.items()}
        return Batch(tuple(video_ids), features, {name: table[picked] for name, table in self._covered.items()})

    def full_video_batch(self, video_id: str) -> Batch:
        """One video at its native length."""
        return self.batch([video_id], {video_id: np.arange(self.lengths[video_id])})


def sample_snippets(length: int, max_snippets: int, rng: np.random.Generator) -> Rows:
    """At most `snippets` rows in order: all of a short video, one from each equal part of a long one."""
    if length <= max_snippets:
        return np.arange(length)
    edges = np.linspace(0, length, max_snippets + 1).astype(np.int64)
    return edges[:-1] + (rng.random(max_snippets) * np.diff(edges)).astype(np.int64)


def select_batch_videos(video_ids: Sequence[str], batch_size: int, step: int, seed: int) -> list[str]:
    """The videos of a step, none twice: a pass is a random order of all, cut into whole batches; what is left waits.

    A function of the step alone, so that a training that was killed goes on as if it had not been.
    """
    batch_size = min(batch_size, len(video_ids))
    number, place = divmod(step, len(video_ids) // batch_size)
    order = np.random.default_rng([seed, 0, number]).permutation(len(video_ids))
    return [video_ids[k] for k in order[place * batch_size : (place + 1) * batch_size]]


def _features(videos: Iterable[VideoFeatures]) -> Tensor:
    arrays = [video.feature for video in videos]
    return torch.from_numpy(np.concatenate([*arrays, np.zeros_like(arrays[0][:1])]))


def _covered(videos: Iterable[VideoFeatures]) -> Tensor:
    return torch.from_numpy(np.concatenate([*(video.coverage > 0 for video in videos), [False]]))
