"""Cluster numbers that depend on the partition alone."""

import numpy as np
from numpy.typing import NDArray


def relabel_by_appearance(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number clusters in the order in which the videos meet them."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int32)[inverse]
