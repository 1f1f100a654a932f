"""Features of many videos on a device, one tensor for each stream: a batch is an indexing operation.

float16, as in the shards: the four streams of THUMOS14's 200 training videos take a third of a GB.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.long_videos import split_rows
from clip_ae.core.types import FeaturesByStream, VideoFeatures
from clip_ae.localizers.batch import Batch

Rows = NDArray[np.int64]


class FeatureTable:
    """The rows of all videos, one video after the other.

    The last row is padding: zeros, without coverage.
    """

    def __init__(self, streams: FeaturesByStream, device: str) -> None:
        videos = next(iter(streams.values()))
        self.lengths = {i: len(video.feature) for i, video in videos.items()}
        starts = np.cumsum([0, *self.lengths.values()])
        self.first_row = dict(zip(self.lengths, starts.tolist(), strict=False))
        self.padding_row = int(starts[-1])
        self.features = {name: _stack_features(videos.values()).to(device) for name, videos in streams.items()}
        self._masks = {name: _stack_coverage(videos.values()).to(device) for name, videos in streams.items()}
        self.device = device

    @property
    def video_ids(self) -> tuple[str, ...]:
        return tuple(self.lengths)

    def get_features(self, table_rows: Rows) -> dict[str, Tensor]:
        """Features [..., D] of table rows [...] in float32, by stream."""
        index = torch.from_numpy(table_rows).to(self.device)
        return {name: features[index].float() for name, features in self.features.items()}

    def batch(self, video_ids: Sequence[str], rows: Mapping[str, Rows]) -> Batch:
        """The given rows of each video, padded to the longest. All streams of a video have the same rows."""
        table_rows = np.full((len(video_ids), max(len(rows[i]) for i in video_ids)), self.padding_row)
        for b, video_id in enumerate(video_ids):
            table_rows[b, : len(rows[video_id])] = self.first_row[video_id] + rows[video_id]
        index = torch.from_numpy(table_rows).to(self.device)
        masks = {name: mask[index] for name, mask in self._masks.items()}
        return Batch(tuple(video_ids), self.get_features(table_rows), masks)

    def full_video_batches(self, video_id: str) -> Iterator[Batch]:
        """One video at its native length; a very long one in parts, each of which counts as a video."""
        rows = np.arange(self.lengths[video_id])
        for part in split_rows(len(rows)):
            yield self.batch([video_id], {video_id: rows[part]})


def sample_snippets(length: int, max_snippets: int, rng: np.random.Generator) -> Rows:
    """At most `max_snippets` rows in order: all rows of a short video, one from each equal part of a long one."""
    if length <= max_snippets:
        return np.arange(length)
    edges = np.linspace(0, length, max_snippets + 1).astype(np.int64)
    return edges[:-1] + (rng.random(max_snippets) * np.diff(edges)).astype(np.int64)


def select_batch_videos(video_ids: Sequence[str], batch_size: int, step: int, seed: int) -> list[str]:
    """The videos of step `step` (from 0), without repetition.

    An epoch is a random order of all videos, cut into full batches; the remainder is skipped until the next epoch.
    The result depends on the arguments only, so a training that was killed resumes with the same batches.
    """
    batch_size = min(batch_size, len(video_ids))
    epoch, batch_index = divmod(step, len(video_ids) // batch_size)
    order = np.random.default_rng([seed, 0, epoch]).permutation(len(video_ids))
    return [video_ids[k] for k in order[batch_index * batch_size : (batch_index + 1) * batch_size]]


def _stack_features(videos: Iterable[VideoFeatures]) -> Tensor:
    arrays = [video.feature for video in videos]
    return torch.from_numpy(np.concatenate([*arrays, np.zeros_like(arrays[0][:1])]))


def _stack_coverage(videos: Iterable[VideoFeatures]) -> Tensor:
    return torch.from_numpy(np.concatenate([*(video.coverage > 0 for video in videos), [False]]))
