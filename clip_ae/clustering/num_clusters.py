"""How many clusters there are, where nobody says: the number whose clusters have the highest mean silhouette."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

# More clusters than this are not tried, nor clusters of fewer videos than two on average.
MAX_CLUSTERS = 40
ClusterFunction = Callable[[NDArray[np.float64], int, int], NDArray[np.int32]]


def compute_silhouettes(z: NDArray[np.float64], cluster: ClusterFunction, seed: int) -> dict[int, float]:
    """Mean silhouette of the clusters of every number that is tried."""
    from sklearn.metrics import silhouette_score

    found = {k: cluster(z, k, seed) for k in range(2, min(MAX_CLUSTERS, len(z) // 2) + 1)}
    # Fewer clusters than asked for may come out, where points coincide.
    return {k: float(silhouette_score(z, labels)) for k, labels in found.items() if len(set(labels.tolist())) == k}


def choose_num_clusters(silhouettes: Mapping[int, float]) -> int:
    """The smaller number of two that are as good."""
    return max(silhouettes, key=lambda k: (silhouettes[k], -k))
