"""Spectral clustering with TCAM's affinity (CVPR 2020): the default of unsupervised localization."""

import numpy as np
from numpy.typing import NDArray


def affinity_matrix(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """w_ij = exp(-d_ij^2 / (2 b^2)), with b the mean Euclidean distance over i <= j.

    The zero distances d_ii count in b, as in the code behind the published tables.
    """
    from scipy.spatial.distance import pdist, squareform

    distance = squareform(pdist(z))
    b = distance[np.triu_indices(len(z))].mean()
    w: NDArray[np.float64] = np.exp(-np.square(distance) / (2 * b * b)) if b > 0 else np.ones_like(distance)
    return w


def cluster(z: NDArray[np.float64], num_clusters: int, seed: int) -> NDArray[np.int32]:
    from sklearn.cluster import SpectralClustering
    from threadpoolctl import threadpool_limits

    # The eigensolver needs more points than vectors.
    if len(z) == num_clusters:
        return np.arange(num_clusters, dtype=np.int32)
    # k-means adds up partial sums in whatever order its threads end; one thread has one order.
    with threadpool_limits(1):
        model = SpectralClustering(num_clusters, affinity="precomputed", random_state=seed, assign_labels="kmeans")
        return np.asarray(model.fit_predict(affinity_matrix(z)), np.int32)
