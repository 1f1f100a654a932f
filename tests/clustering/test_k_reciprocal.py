"""k-reciprocal distances against their equations as loops over sets."""

import numpy as np
import pytest

from clip_ae.clustering.k_reciprocal import distances_to_centres


def reciprocal_neighbours(order, i, k):
    return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}


def expanded_neighbours(order, i):
    near = reciprocal_neighbours(order, i, 20)
    expanded = set(near)
    for j in near:
        nearer = reciprocal_neighbours(order, j, 10)
        if len(nearer & near) > 2 / 3 * len(nearer):
            expanded |= nearer
    return expanded


def refined_distances(z, centres):
    points = [*centres, *z]
    d = np.array([[((a - b) ** 2).sum() for b in points] for a in points])
    d = d / d.max(axis=1, keepdims=True)
    order = [sorted(range(len(points)), key=lambda j, row=row: (row[j], j)) for row in d]
    encoded = []
    for i in range(len(points)):
        v = np.zeros(len(points))
        for j in expanded_neighbours(order, i):
            v[j] = np.exp(-d[i, j])
        encoded.append(v / v.sum())
    v = [np.mean([encoded[j] for j in order[i][:6]], axis=0) for i in range(len(points))]
    refined = np.zeros((len(z), len(centres)))
    for n in range(len(z)):
        for k in range(len(centres)):
            common = sum(min(a, b) for a, b in zip(v[k], v[len(centres) + n], strict=True))
            refined[n, k] = 0.7 * (1 - common / (2 - common)) + 0.3 * d[k, len(centres) + n]
    return refined


@pytest.mark.parametrize(("videos", "clusters"), [(60, 3), (25, 2), (4, 2), (1, 1)])
def test_refined_distances_equal_their_equations(videos, clusters):
    rng = np.random.default_rng(videos)
    prototypes = rng.normal(size=(clusters, 5))
    z = prototypes[np.arange(videos) % clusters] + 0.7 * rng.normal(size=(videos, 5))
    np.testing.assert_allclose(distances_to_centres(z, prototypes), refined_distances(z, prototypes), rtol=1e-9)


@pytest.mark.filterwarnings("error")
def test_videos_that_are_all_the_same_have_finite_distances():
    """More copies than neighbours: which of them are neighbours depends on the order only."""
    distances = distances_to_centres(np.ones((30, 4)), np.ones((2, 4)))
    assert np.isfinite(distances).all()
    assert distances.min() < 1e-12
    np.testing.assert_allclose(distances_to_centres(np.ones((9, 4)), np.ones((2, 4))), 0.0, atol=1e-12)


def test_a_video_belongs_where_its_neighbours_are():
    """A chain of videos that begins at the first centre: its end is nearer to the second centre, and stays a chain."""
    rng = np.random.default_rng(0)
    chain = np.stack([np.linspace(0, 1.3, 40), np.zeros(40)], axis=1)
    others = np.array([2.0, 0.0]) + 0.01 * rng.normal(size=(40, 2))
    centres = np.array([[0.5, 0.0], [2.0, 0.0]])
    z = np.concatenate([chain, others])
    plain = ((z[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    refined = distances_to_centres(z, centres).argmin(axis=1)
    assert plain[39] == 1
    assert refined.tolist() == [0] * 40 + [1] * 40
