"""Find the segments that may overlap a given one, without a look at all of them."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_ae.proposals.segments import Floats


@dataclass(frozen=True)
class _Group:
    """Segments of similar length, by start."""

    starts: list[float]
    longest: float
    indices: NDArray[np.int64]


class OverlapIndex:
    """The segments in groups of similar length: a power of four each, and those without length in one of them.

    In a group sorted by start, what overlaps a segment is one slice, except for a few that end before it.
    """

    def __init__(self, segments: Floats) -> None:
        self.groups = list(_make_groups(segments))

    def find(self, start: float, stop: float) -> NDArray[np.int64]:
        """The indices of all segments that overlap one, and of some that do not."""
        found = [np.empty(0, np.int64)]
        for group in self.groups:
            first, last = bisect_left(group.starts, start - group.longest), bisect_left(group.starts, stop)
            if first < last:
                found.append(group.indices[first:last])
        return np.concatenate(found)


def _make_groups(segments: Floats) -> Iterator[_Group]:
    lengths = segments[:, 1] - segments[:, 0]
    # frexp gives the power of two above a number.
    size_classes = np.frexp(lengths)[1] // 2
    for size_class in np.unique(size_classes):
        members = np.flatnonzero(size_classes == size_class)
        members = members[np.argsort(segments[members, 0], kind="stable")]
        yield _Group(segments[members, 0].tolist(), float(lengths[members].max()), members)
