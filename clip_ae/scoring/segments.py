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
        return self.take(order)._sort_ties()

    def _sort_ties(self) -> "Segments":
        """Sort segments of equal score by video and time; the scores are sorted already."""
        equal_mask = np.zeros(len(self) + 1, np.bool_)
        equal_mask[1:-1] = np.diff(self.score) == 0
        # Few scores are tied, and copies of a segment are in order: sorting all by four columns is slow.
        if not self._has_descent(np.flatnonzero(equal_mask[1:-1])):
            return self
        order = np.arange(len(self))
        rows = np.flatnonzero(equal_mask[1:] | equal_mask[:-1])
        order[rows] = rows[np.lexsort((self.stop[rows], self.start[rows], self.video[rows], -self.score[rows]))]
        return self.take(order)

    def _has_descent(self, rows: NDArray[np.intp]) -> bool:
        """Whether one of these rows comes after the next row by video, start and stop."""
        descends_mask, equal_mask = np.zeros(len(rows), np.bool_), np.ones(len(rows), np.bool_)
        for column in (self.video, self.start, self.stop):
            here, following = column[rows], column[rows + 1]
            descends_mask |= equal_mask & (here > following)
            equal_mask &= here == following
        return bool(descends_mask.any())


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
