"""Segments as columns, and their order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Segments:
    """A video's and a label's index, seconds, and a score (1 for ground truth)."""

    video: Ints
    label: Ints
    start: Floats
    stop: Floats
    score: Floats

    def __len__(self) -> int:
        return len(self.video)

    def take(self, index: NDArray[np.generic]) -> "Segments":
        return Segments(*(column[index] for column in (self.video, self.label, self.start, self.stop, self.score)))

    def sort_by_score(self) -> "Segments":
        """By falling score; equal scores by video and time, so that no order of the file shows."""
        order = np.argsort(-self.score, kind="stable")
        same = np.zeros(len(order) + 1, np.bool_)
        same[1:-1] = np.diff(self.score[order]) == 0
        tied = same[1:] | same[:-1]
        # Sorting the few that are tied costs little beside sorting all by four columns.
        rows = order[tied]
        order[tied] = rows[np.lexsort((self.stop[rows], self.start[rows], self.video[rows], -self.score[rows]))]
        return self.take(order)


def make_segments(rows: list[tuple[int, int, float, float, float]]) -> Segments:
    """From rows of video, label, start, stop, score."""
    video, label, start, stop, score = np.asarray(rows, np.float64).reshape(-1, 5).T
    return Segments(video.astype(np.int64), label.astype(np.int64), start, stop, score)
