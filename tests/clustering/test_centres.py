import numpy as np
import pytest

from clip_ae.clustering.centres import compute_centres, distances_to_centres, select_nearest


def test_centres_are_means_and_distances_are_euclidean():
    z = np.array([[0.0, 0], [2, 0], [3, 4]])
    centres = compute_centres(z, np.array([0, 0, 1], np.int32))
    assert centres.tolist() == [[1, 0], [3, 4]]
    np.testing.assert_allclose(distances_to_centres(z[:1], centres), [[1, 5]])


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.25, [2, 5]), (0.5, [1, 2, 5]), (0.75, [1, 2, 3, 4, 5]), (1.0, [0, 1, 2, 3, 4, 5]), (0.01, [2, 5])],
)
def test_the_nearest_videos_of_each_cluster_are_selected(share, expected):
    clusters, distances = np.array([0, 0, 0, 0, 1, 1], np.int32), np.array([4.0, 2, 1, 3, 9, 8])
    # round(0.75 * 2) is 2: the nearest even number to 1.5.
    assert np.flatnonzero(select_nearest(clusters, distances, share)).tolist() == expected


def test_of_videos_at_the_same_distance_the_first_are_selected():
    assert select_nearest(np.zeros(4, np.int32), np.ones(4), 0.5).tolist() == [True, True, False, False]
