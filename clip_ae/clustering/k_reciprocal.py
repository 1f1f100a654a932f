"""k-reciprocal distances (Zhong et al., CVPR 2017), with which FEEL (2312.07384) refines clusters.

Of points with distances d_ij = |z_i - z_j|^2 / max_j |z_i - z_j|^2, each its own nearest neighbour:
    R_k(i)  = the points j for which i and j are among the k + 1 nearest neighbours of each other
    R*(i)   = R_k1(i) with each R_k1/2(j), j in R_k1(i), of which more than 2/3 are in R_k1(i)
    v_i     = exp(-d_ij) for j in R*(i) and 0 elsewhere, with sum 1; then the mean over the k2 nearest neighbours of i
    J_ij    = 1 - sum min(v_i, v_j) / (2 - sum min(v_i, v_j))
    refined = (1 - lambda) J_ij + lambda d_ij
Two points are near if their neighbours are the same.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
# Of the paper, and of FEEL's code.
K1, K2, LAMBDA = 20, 6, 0.3


def distances_to_centres(z: Floats, centres: Floats) -> Floats:
    """Refined distances [N, K] from z [N, D] to centres [K, D]; both are points of one neighbourhood graph."""
    points = np.concatenate([centres, z])
    num_centres = len(centres)
    distances = _scaled_distances(points)
    vectors = _encode(distances, _order_neighbours(distances))
    jaccard = np.stack([_jaccard_distances(vector, vectors[num_centres:]) for vector in vectors[:num_centres]])
    refined: Floats = ((1 - LAMBDA) * jaccard + LAMBDA * distances[:num_centres, num_centres:]).T
    return refined


def _scaled_distances(points: Floats) -> Floats:
    """Squared Euclidean distances [M, M]; the largest of each row is 1, or 0 if all points are the same."""
    from scipy.spatial.distance import cdist

    squares = cdist(points, points, "sqeuclidean")
    largest = squares.max(axis=1, keepdims=True)
    scaled: Floats = squares / np.where(largest > 0, largest, 1.0)
    return scaled


def _order_neighbours(distances: Floats) -> NDArray[np.int64]:
    """[M, M]: the points from the nearest to the farthest of each; a point is nearest to itself, also among copies."""
    sortable = distances.copy()
    np.fill_diagonal(sortable, -1.0)
    order: NDArray[np.int64] = sortable.argsort(axis=1, kind="stable")
    return order


def _encode(distances: Floats, neighbours: NDArray[np.int64]) -> Floats:
    """The vectors v [M, M]."""
    reciprocal = _expand(_reciprocal_neighbours(neighbours, K1), _reciprocal_neighbours(neighbours, K1 // 2))
    weights = np.where(reciprocal, np.exp(-distances), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    nearest = neighbours[:, :K2]
    # In a loop: all neighbours at once would take K2 times the memory.
    mean: Floats = np.zeros_like(weights)
    for column in nearest.T:
        mean += weights[column] / nearest.shape[1]
    return mean


def _reciprocal_neighbours(neighbours: NDArray[np.int64], k: int) -> Bools:
    """[M, M]: whether j is in R_k(i)."""
    is_near = np.zeros(neighbours.shape, np.bool_)
    np.put_along_axis(is_near, neighbours[:, : k + 1], True, axis=1)
    return is_near & is_near.T


def _expand(near: Bools, nearer: Bools) -> Bools:
    """[M, M]: whether j is in R*(i), from R_k1 and R_k1/2."""
    # Products of counts are exact in float32.
    common = near.astype(np.float32) @ nearer.T.astype(np.float32)
    joined = near & (common > 2 / 3 * nearer.sum(axis=1))
    expanded: Bools = near | (joined.astype(np.float32) @ nearer.astype(np.float32) > 0)
    return expanded


def _jaccard_distances(vector: Floats, vectors: Floats) -> Floats:
    """[N]: of one vector to others."""
    common = np.minimum(vector[vector > 0], vectors[:, vector > 0]).sum(axis=1)
    distances: Floats = 1 - common / (2 - common)
    return distances
