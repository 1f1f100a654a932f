import pytest

from clip_ae.clustering.quality import measure_quality


def test_clusters_equal_to_the_classes_have_perfect_agreement():
    quality = measure_quality([3, 3, 0, 0, 0], ["a", "a", "b", "b", "b"])
    assert (quality.purity, quality.nmi, quality.ari) == pytest.approx((1, 1, 1))
    assert (quality.videos, quality.clusters, quality.classes) == (5, 2, 2)
    assert (quality.covered, quality.smallest, quality.largest) == (2, 2, 3)


def test_a_single_cluster_has_no_agreement():
    quality = measure_quality([0, 0, 0, 0], ["a", "a", "a", "b"])
    assert quality.purity == 0.75
    assert (quality.nmi, quality.ari) == pytest.approx((0, 0))
    assert quality.covered == 1


def test_a_class_that_is_most_frequent_in_no_cluster_is_not_covered():
    assert measure_quality([0, 0, 0, 1, 1, 1], list("aabbbc")).covered == 2
    # A tie covers both.
    assert measure_quality([0, 0, 1, 1], list("aabc")).covered == 3
