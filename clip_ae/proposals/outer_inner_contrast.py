"""Outer-inner contrast (AutoLoc, ECCV 2018): how much a curve drops at a segment's borders."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.proposals.segments import Floats, PointRanges


def outer_inner_contrast(curve: Floats, ranges: PointRanges, outer_margin: float) -> Floats:
    """Mean inside minus mean in the margins, each `outer` of the segment's length, cut at the curve's ends."""
    first, end = ranges[:, 0], ranges[:, 1]
    margin = np.ceil(outer_margin * (end - first)).astype(np.int64)
    left, right = np.maximum(first - margin, 0), np.minimum(end + margin, len(curve))
    total = np.concatenate([[0.0], np.cumsum(curve)])
    inside = total[end] - total[first]
    around = total[right] - total[left] - inside
    return _mean(inside, end - first) - _mean(around, (right - left) - (end - first))


def _mean(total: Floats, points: NDArray[np.int64]) -> Floats:
    """0 where there are no points: a segment without surroundings contrasts with nothing."""
    return total / np.maximum(points, 1)
