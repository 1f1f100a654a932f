"""Image features of clusters, and the names that match them."""

import numpy as np
import pytest

from clip_ae.clustering.naming import compute_cluster_features, rank_names
from clip_ae.core.types import VideoCurves, VideoFeatures

EYE = np.eye(3, dtype=np.float16)


def video(name, feature, coverage=None):
    length = len(feature)
    times = np.arange(length) * 0.64
    coverage = np.ones(length, np.float32) if coverage is None else np.float32(coverage)
    return VideoFeatures(name, times, times + 0.64, coverage, np.asarray(feature, np.float16))


def test_a_cluster_feature_is_the_attended_mean_of_its_videos_minus_the_mean_of_all():
    """Against the definition as a loop over snippets."""
    rng = np.random.default_rng(0)
    clip = {n: video(n, rng.normal(size=(5, 3))) for n in "abc"}
    curves = {
        n: VideoCurves(rng.random(5), {"x": rng.random(5) + (n != "c"), "y": rng.random(5) + (n == "c")}) for n in "abc"
    }
    average = np.mean([row for v in clip.values() for row in v.feature.astype(float)], axis=0)
    for label, video_ids in (("x", "ab"), ("y", "c")):
        means = []
        for n in video_ids:
            total, weight = np.zeros(3), 0.0
            for k in range(5):
                total += curves[n].attention[k] * curves[n].activation[label][k] * clip[n].feature[k].astype(float)
                weight += curves[n].attention[k] * curves[n].activation[label][k]
            means.append(total / weight)
        np.testing.assert_allclose(compute_cluster_features(clip, curves)[label], np.mean(means, axis=0) - average)


def test_background_does_not_name_a_cluster():
    """Every snippet contains axis 1 (background); the one attended snippet also contains axis 2 (the action)."""
    clip = {"a": video("a", [EYE[1], EYE[1], EYE[1] + EYE[2]])}
    feature = compute_cluster_features(clip, {"a": VideoCurves([0, 0, 1], {"x": [1, 1, 1]})})["x"]
    assert rank_names(feature, np.float32([EYE[1], EYE[2]]), ["background", "action"], 10.0)[0][0] == "action"


def test_snippets_without_coverage_do_not_count():
    clip = {"a": video("a", [EYE[0], 0 * EYE[0]], coverage=[1, 0])}
    np.testing.assert_allclose(compute_cluster_features(clip, {"a": VideoCurves([1, 1], {"x": [1, 1]})})["x"], 0)


def test_without_coverage_there_is_no_cluster_feature():
    clip = {"a": video("a", 0 * EYE, coverage=[0, 0, 0])}
    assert not compute_cluster_features(clip, {"a": VideoCurves([1, 1, 1], {"x": [1, 1, 1]})})
    assert not compute_cluster_features({}, {})


def test_a_label_without_attention_has_no_cluster_feature():
    assert not compute_cluster_features({"a": video("a", EYE)}, {"a": VideoCurves([0, 0, 0], {"x": [1, 1, 1]})})


def test_name_scores_are_probabilities_over_the_vocabulary():
    ranked = rank_names(np.array([2.0, 1.0, 0.0]), np.float32(EYE), ["a", "b", "c"], 1.0)
    assert [name for name, _ in ranked] == ["a", "b", "c"]
    assert sum(p for _, p in ranked) == pytest.approx(1)
    assert ranked[0][1] / ranked[1][1] == pytest.approx(np.e)
