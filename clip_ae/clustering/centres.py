"""Clusters by their centres, and the videos that are nearest to their centre."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Clusters = NDArray[np.int32]
# Distances [N, K] of descriptors [N, D] to centres [K, D].
DistanceFunction = Callable[[Floats, Floats], Floats]


def compute_centres(z: Floats, clusters: Clusters) -> Floats:
    """The mean descriptor [K, D] of each cluster; clusters are numbered from 0 without gaps."""
    return np.stack([z[clusters == k].mean(axis=0) for k in range(clusters.max() + 1)])


def distances_to_centres(z: Floats, centres: Floats) -> Floats:
    """Euclidean distances [N, K]."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(z, centres), np.float64)


def select_nearest(clusters: Clusters, distances: Floats, share: float) -> NDArray[np.bool_]:
    """[N]: whether a video is in the given share of its cluster that has the smallest distance [N] to the centre.

    Each cluster has at least one selected video.
    """
    selected = np.zeros(len(clusters), np.bool_)
    for k in np.unique(clusters):
        members = np.flatnonzero(clusters == k)
        count = max(1, round(share * len(members)))
        selected[members[np.argsort(distances[members], kind="stable")[:count]]] = True
    return selected
