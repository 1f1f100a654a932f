"""Spectral clustering with the affinity of TCAM (CVPR 2020): the default of unsupervised localization."""

import numpy as np
from numpy.typing import NDArray


def affinity_matrix(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """w_ij = exp(-d_ij^2 / (2 b^2)), where b is the mean Euclidean distance over i <= j.

    The zero distances d_ii are included in b, as in the code of the published tables.
    """
    from scipy.spatial.distance import pdist, squareform

    distances = squareform(pdist(z))
    b = distances[np.triu_indices(len(z))].mean()
    w: NDArray[np.float64] = np.exp(-np.square(distances) / (2 * b * b)) if b > 0 else np.ones_like(distances)
    return w


def cluster(z: NDArray[np.float64], num_clusters: int, seed: int) -> NDArray[np.int32]:
    """The cluster of each row of z [N, D]."""
    from sklearn.cluster import SpectralClustering
    from threadpoolctl import threadpool_limits

    # The eigensolver needs more points than eigenvectors.
    if len(z) == num_clusters:
        return np.arange(num_clusters, dtype=np.int32)
    # With several threads, the order in which k-means adds partial sums varies from run to run.
    with threadpool_limits(1):
        model = SpectralClustering(num_clusters, affinity="precomputed", random_state=seed, assign_labels="kmeans")
        return np.asarray(model.fit_predict(affinity_matrix(z)), np.int32)
