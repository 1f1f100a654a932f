"""Compute the time columns of a feature shard."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.timeline import SnippetGrid


def snippet_times(grid: SnippetGrid, snippets: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (start, stop) in seconds of the first `snippets` snippets."""
    start = np.array([grid.start(k) for k in range(snippets)], np.float64)
    stop = np.array([grid.stop(k) for k in range(snippets)], np.float64)
    return start, stop
