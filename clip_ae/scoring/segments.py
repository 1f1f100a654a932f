"""Segments as columns of arrays, and their sort order."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Segments:
    """Columns of one length: indices of video and label, start and stop in seconds, score (1 for ground truth)."""

    video: Ints
    label: Ints
    start: Floats
    stop: Floats
    score: Floats

    def __len__(self) -> int:
        return len(self.video)

    def take(self, index: NDArray[np.generic]) -> "Segments":
        """The segments at an index array, or where a mask is true."""
        return Segments(*(column[index] for column in (self.video, self.label, self.start, self.stop, self.score)))

    def without_labels(self) -> "Segments":
        """The same with label 0."""
        return replace(self, label=np.zeros_like(self.label))

    def sort_by_score(self) -> "Segments":
        """By falling score; equal scores by video and time, so the result does not depend on the order of the file."""
        order = np.argsort(-self.score, kind="stable")
        equal_mask = np.zeros(len(order) + 1, np.bool_)
        equal_mask[1:-1] = np.diff(self.score[order]) == 0
        tied_mask = equal_mask[1:] | equal_mask[:-1]
        # Few scores are tied: sorting these alone is much faster than sorting all segments by four columns.
        rows = order[tied_mask]
        order[tied_mask] = rows[np.lexsort((self.stop[rows], self.start[rows], self.video[rows], -self.score[rows]))]
        return self.take(order)


def rank_in_group(group: Ints) -> Ints:
    """Rank of each element among those of its group in their order, from 0."""
    order = np.argsort(group, kind="stable")
    first = np.searchsorted(group[order], group[order], "left")
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - first
    return rank


def repeat_rows(count: Ints) -> tuple[Ints, Ints]:
    """Row k as often as count[k] says: the index of the row, and the number of the copy from 0."""
    index = np.repeat(np.arange(len(count)), count)
    first = np.cumsum(count) - count
    return index, np.arange(len(index)) - np.repeat(first, count)


def make_segments(rows: list[tuple[int, int, float, float, float]]) -> Segments:
    """Segments from rows (video, label, start, stop, score)."""
    video, label, start, stop, score = np.asarray(rows, np.float64).reshape(-1, 5).T
    return Segments(video.astype(np.int64), label.astype(np.int64), start, stop, score)
