"""Spectral clustering of many points by the Nyström method (Fowlkes et al., PAMI 2004).

The affinities C [N, m] of all points with m landmarks stand for all affinities: W = C A^-1 C^T, with A [m, m] those of
the landmarks. Memory grows with N m and not with N^2. With D the sums of the rows of W, the first eigenvectors of
D^-1/2 W D^-1/2 = F F^T are found from F^T F [m, m].

Landmarks are centres of k-means (Zhang et al., ICML 2008). A landmark that is a point has an affinity of 1 with itself:
in many dimensions that is far more than with any other point, and landmarks would form clusters of their own.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clip_ae.clustering import kmeans
from clip_ae.clustering.partition import Partition

Floats = NDArray[np.float64]
NUM_LANDMARKS = 2000
# Points whose distances to all others give the width of the affinity.
WIDTH_SAMPLE = 500
# Points for each landmark, on average, at least.
MIN_POINTS = 3
# Eigenvalues below this share of the largest are noise, whose inverse would be huge.
MIN_EIGENVALUE = 1e-10


def prepare(z: Floats, seed: int) -> Partition:
    """The partition of the rows of z [N, D] into any number of clusters."""
    from threadpoolctl import threadpool_limits

    # As in the exact method: sums in one order, so that runs are equal.
    with threadpool_limits(1):
        embed = prepare_embedding(z, seed)
    return lambda num_clusters: kmeans.cluster(embed(num_clusters), seed, num_clusters)


def prepare_embedding(z: Floats, seed: int) -> Callable[[int], Floats]:
    """A function that returns the first `number` eigenvectors [N, number] of the random walk on the points."""
    from scipy.spatial.distance import cdist

    sample = np.random.default_rng(seed).choice(len(z), min(WIDTH_SAMPLE, len(z)), replace=False)
    # The width of the exact affinity is the mean distance, here that of the pairs with these points.
    b = float(cdist(z, z[sample]).mean())
    if b == 0:
        return lambda _: np.ones((len(z), 1))
    landmarks = _find_landmarks(z, seed)
    affinity = _compute_affinities(z, landmarks, b)
    values, vectors = np.linalg.eigh(_compute_affinities(landmarks, landmarks, b))
    kept = values > MIN_EIGENVALUE * values[-1]
    factor: Floats = affinity @ (vectors[:, kept] / np.sqrt(values[kept]))
    # Approximate affinities can be a little below 0; their sums are not, but for numerical noise.
    degree = np.maximum(factor @ factor.sum(axis=0), np.finfo(np.float64).eps)[:, None]
    factor /= np.sqrt(degree)
    squares, right = np.linalg.eigh(factor.T @ factor)
    first = np.argsort(squares)[::-1]
    first = first[squares[first] > MIN_EIGENVALUE * squares[first[0]]]
    axes = right[:, first] / np.sqrt(squares[first])
    # Only those that are asked for: all of them would take as much memory as the affinities.
    return lambda number: factor @ axes[:, :number] / np.sqrt(degree)


def _find_landmarks(z: Floats, seed: int) -> Floats:
    """Centres of k-means: a few steps are enough to spread them over the points."""
    from sklearn.cluster import KMeans

    num_landmarks = min(NUM_LANDMARKS, len(z) // MIN_POINTS)
    model = KMeans(max(1, num_landmarks), init="random", n_init=1, max_iter=5, random_state=seed)
    centres: Floats = model.fit(z).cluster_centers_
    return centres


def _compute_affinities(first: Floats, second: Floats, b: float) -> Floats:
    from scipy.spatial.distance import cdist

    affinity: Floats = cdist(first, second, "sqeuclidean")
    # In place: a copy takes 320 MB.
    affinity /= -2 * b * b
    np.exp(affinity, out=affinity)
    return affinity
