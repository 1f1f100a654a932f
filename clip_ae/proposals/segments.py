"""Segments in which a curve over snippets is high."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.timeline import SnippetGrid

Floats = NDArray[np.float64]
# Rows [first point, point after the last] on an upsampled curve.
PointRanges = NDArray[np.int64]


def upsample(curve: Floats, factor: int) -> Floats:
    """`factor` points for each snippet: linear between the snippet centres, constant beyond the first and the last."""
    points = (np.arange(len(curve) * factor) + 0.5) / factor - 0.5
    return np.interp(points, np.arange(len(curve)), curve)


def find_ranges_above(curve: Floats, levels: Iterable[float]) -> PointRanges:
    """The distinct maximal ranges at or above a level, over all levels. Levels of 0 or less give none."""
    ranges = [_true_ranges(curve >= level) for level in levels if level > 0]
    return np.unique(np.concatenate(ranges), axis=0) if ranges else np.empty((0, 2), np.int64)


def ranges_to_seconds(ranges: PointRanges, factor: int, duration: float, grid: SnippetGrid) -> Floats:
    """[start, stop] of ranges in seconds, cut at the end of the video.

    A point covers 1 / factor of the stride around its position. Positions are counted from snippet centres.
    """
    positions = ranges / factor - 0.5
    edges: Floats = positions * grid.stride_s + grid.snippet_s / 2
    return edges.clip(0.0, duration)


def _true_ranges(mask: NDArray[np.bool_]) -> PointRanges:
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)
