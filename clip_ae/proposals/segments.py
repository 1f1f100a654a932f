"""From a curve over snippets to the segments in which it is high."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.timeline import SnippetGrid

Floats = NDArray[np.float64]
# Rows [first point, point after the last] on an upsampled curve.
PointRanges = NDArray[np.int64]


def upsample(curve: Floats, factor: int) -> Floats:
    """`factor` points a snippet, linear between the snippets' centres, level beyond the outer ones."""
    points = (np.arange(len(curve) * factor) + 0.5) / factor - 0.5
    return np.interp(points, np.arange(len(curve)), curve)


def find_ranges_above(curve: Floats, levels: Iterable[float]) -> PointRanges:
    """The distinct runs that reach a level, over all levels; none at or below 0."""
    found = [_runs(curve >= level) for level in levels if level > 0]
    return np.unique(np.concatenate(found), axis=0) if found else np.empty((0, 2), np.int64)


def ranges_to_seconds(ranges: PointRanges, factor: int, duration: float, grid: SnippetGrid) -> Floats:
    """[start, stop] of runs in seconds, none beyond the video's end.

    A point stands for 1 / factor of the step around its place; places are counted from snippets' centres.
    """
    edges: Floats = np.vectorize(grid.centre, otypes=[np.float64])(ranges / factor - 0.5)
    return edges.clip(0.0, duration)


def _runs(high: NDArray[np.bool_]) -> PointRanges:
    edges = np.diff(high.astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)
