"""Choice of the number of clusters, if the config gives none: the number with the highest mean silhouette."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clip_ae.clustering.partition import Partition

# Largest number that is tried. Clusters must also have at least two videos on average.
MAX_CLUSTERS = 40
# The silhouette compares every pair of so many points at most, drawn at random.
MAX_COMPARED = 5000


def compute_silhouettes(descriptors: NDArray[np.float64], partition: Partition, seed: int) -> dict[int, float]:
    """The mean silhouette by number of clusters."""
    from sklearn.metrics import euclidean_distances, silhouette_score

    partitions = {k: partition(k) for k in range(2, min(MAX_CLUSTERS, len(descriptors) // 2) + 1)}
    # If points coincide, a clustering can return fewer clusters than k, and a sample can miss a small one: skip that k.
    compared = np.arange(len(descriptors))
    if len(compared) > MAX_COMPARED:
        compared = np.sort(np.random.default_rng(seed).choice(compared, MAX_COMPARED, replace=False))
    partitions = {k: labels[compared] for k, labels in partitions.items()}
    distances = euclidean_distances(descriptors[compared])
    return {
        k: float(silhouette_score(distances, labels, metric="precomputed"))
        for k, labels in partitions.items()
        if len(set(labels.tolist())) == k
    }


def choose_num_clusters(silhouettes: Mapping[int, float]) -> int:
    """The number with the highest silhouette; the smallest if several are equal."""
    return max(silhouettes, key=lambda k: (silhouettes[k], -k))
