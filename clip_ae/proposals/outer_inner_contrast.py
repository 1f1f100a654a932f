"""Outer-inner contrast (AutoLoc, ECCV 2018): how much a curve drops at the borders of a segment."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.proposals.segments import Floats, PointRanges


def outer_inner_contrast(curve: Floats, ranges: PointRanges, outer_margin: float) -> Floats:
    """Mean inside each range minus the mean in its two margins.

    A margin is `outer_margin` times the length of the range, cut at the ends of the curve. A range over the whole
    curve has no margins: the curve's lowest point takes their place, so that a flat curve has no contrast.
    """
    first, end = ranges[:, 0], ranges[:, 1]
    margin = np.ceil(outer_margin * (end - first)).astype(np.int64)
    left, right = np.maximum(first - margin, 0), np.minimum(end + margin, len(curve))
    cumulative = np.concatenate([[0.0], np.cumsum(curve)])
    inner_sum = cumulative[end] - cumulative[first]
    outer_sum = cumulative[right] - cumulative[left] - inner_sum
    outer_mean = _mean(outer_sum, (right - left) - (end - first))
    is_whole = (first == 0) & (end == len(curve))
    return _mean(inner_sum, end - first) - np.where(is_whole, curve.min(), outer_mean)


def _mean(sums: Floats, num_points: NDArray[np.int64]) -> Floats:
    """Sums divided by numbers of points; 0 for no points, so a range without margins is not reduced."""
    return sums / np.maximum(num_points, 1)
