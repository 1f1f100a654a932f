"""Cluster numbers that depend on the partition only."""

import numpy as np
from numpy.typing import NDArray


def relabel_by_appearance(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same partition with clusters numbered 0, 1, ... in the order of their first video."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int32)[inverse]
