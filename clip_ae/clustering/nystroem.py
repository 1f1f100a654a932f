"""Spectral clustering of many points by the Nyström method (Fowlkes et al., PAMI 2004).

The affinities C [N, m] of all points with m landmarks stand for all affinities: W = C A^-1 C^T, with A [m, m] those of
the landmarks. Memory grows with N m and not with N^2. With D the sums of the rows of W, the first eigenvectors of
D^-1/2 W D^-1/2 = F F^T are found from F^T F [m, m].
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NUM_LANDMARKS = 2000
# Eigenvalues of A below this share of the largest are noise, whose inverse would be huge.
MIN_EIGENVALUE = 1e-10


def cluster(z: Floats, num_clusters: int, seed: int) -> NDArray[np.int32]:
    """The cluster of each row of z [N, D]."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # As in the exact method: sums in one order, so that runs are equal.
    with threadpool_limits(1):
        embedding = embed(z, num_clusters, seed)
        return np.asarray(KMeans(num_clusters, n_init=10, random_state=seed).fit_predict(embedding), np.int32)


def embed(z: Floats, num_vectors: int, seed: int) -> Floats:
    """The first eigenvectors [N, num_vectors] of the random walk on the points."""
    from scipy.spatial.distance import cdist

    num_landmarks = min(NUM_LANDMARKS, len(z))
    landmarks = np.sort(np.random.default_rng(seed).choice(len(z), num_landmarks, replace=False))
    affinity = cdist(z, z[landmarks])
    # The width of the exact affinity, the mean distance, from these pairs.
    b = affinity.mean()
    if b == 0:
        return np.ones((len(z), num_vectors))
    np.square(affinity, out=affinity)
    affinity /= -2 * b * b
    np.exp(affinity, out=affinity)
    values, vectors = np.linalg.eigh(affinity[landmarks])
    kept = values > MIN_EIGENVALUE * values[-1]
    factor: Floats = affinity @ (vectors[:, kept] / np.sqrt(values[kept]))
    # Approximate affinities can be a little below 0; their sums are not, but for numerical noise.
    degree = np.maximum(factor @ factor.sum(axis=0), np.finfo(np.float64).eps)[:, None]
    factor /= np.sqrt(degree)
    squares, right = np.linalg.eigh(factor.T @ factor)
    first = np.argsort(squares)[::-1][:num_vectors]
    embedding: Floats = factor @ (right[:, first] / np.sqrt(squares[first])) / np.sqrt(degree)
    return embedding
