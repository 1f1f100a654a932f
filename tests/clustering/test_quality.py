import pytest

from clip_ae.clustering.quality import measure_quality


def test_clusters_that_are_the_classes():
    q = measure_quality([3, 3, 0, 0, 0], ["a", "a", "b", "b", "b"])
    assert (q.purity, q.nmi, q.ari) == pytest.approx((1, 1, 1))
    assert (q.videos, q.clusters, q.classes, q.covered, q.smallest, q.largest) == (5, 2, 2, 2, 2, 3)


def test_one_cluster_says_nothing():
    q = measure_quality([0, 0, 0, 0], ["a", "a", "a", "b"])
    assert q.purity == 0.75
    assert (q.nmi, q.ari) == pytest.approx((0, 0))
    assert q.covered == 1


def test_a_class_that_is_nowhere_most_frequent_is_not_covered():
    assert measure_quality([0, 0, 0, 1, 1, 1], list("aabbbc")).covered == 2
    # A tie covers both.
    assert measure_quality([0, 0, 1, 1], list("aabc")).covered == 3
