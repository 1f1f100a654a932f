"""Spectral clustering with the affinity of TCAM (CVPR 2020): the default of unsupervised localization."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from clip_ae.clustering import nystroem
from clip_ae.clustering.partition import Partition

# More points are clustered by the Nyström method: here the table of affinities takes 1.2 GB, and it is there twice.
MAX_EXACT = 12_000


def affinity_matrix(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """w_ij = exp(-d_ij^2 / (2 b^2)), where b is the mean Euclidean distance over i <= j.

    The zero distances d_ii are included in b, as in the code of the published tables.
    """
    from scipy.spatial.distance import pdist, squareform

    distances = pdist(z)
    b = _mean_of_upper_triangle(distances, len(z))
    if b == 0:
        return np.ones((len(z), len(z)))
    w: NDArray[np.float64] = squareform(distances)
    # In place: with 10,000 points a copy takes 800 MB.
    np.square(w, out=w)
    np.negative(w, out=w)
    w /= 2 * b * b
    np.exp(w, out=w)
    return w


def _mean_of_upper_triangle(distances: NDArray[np.float64], size: int) -> float:
    """The mean of the pairs and of a diagonal of `size` zeros."""
    first_of_rows = np.cumsum(np.arange(size - 1, 0, -1)) - np.arange(size - 1, 0, -1)
    return float(np.insert(distances, [*first_of_rows, len(distances)], 0.0).mean())


def prepare(z: NDArray[np.float64], seed: int) -> Partition:
    """The partition of the rows of z [N, D] into any number of clusters."""
    return nystroem.prepare(z, seed) if len(z) > MAX_EXACT else partial(_divide, affinity_matrix(z), seed)


def _divide(affinity: NDArray[np.float64], seed: int, num_clusters: int) -> NDArray[np.int32]:
    """The cluster of each point, from the affinities of all pairs."""
    from sklearn.cluster import SpectralClustering
    from threadpoolctl import threadpool_limits

    # The eigensolver needs more points than eigenvectors.
    if len(affinity) == num_clusters:
        return np.arange(num_clusters, dtype=np.int32)
    # With several threads, the order in which k-means adds partial sums varies from run to run.
    with threadpool_limits(1):
        model = SpectralClustering(num_clusters, affinity="precomputed", random_state=seed, assign_labels="kmeans")
        return np.asarray(model.fit_predict(affinity), np.int32)
