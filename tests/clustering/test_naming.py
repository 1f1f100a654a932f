"""What clusters look like: attended snippets against an average one."""

import numpy as np
import pytest

from clip_ae.clustering.naming import compute_cluster_features, rank_names
from clip_ae.core.types import VideoCurves, VideoFeatures

EYE = np.eye(3, dtype=np.float16)


def video(name, feature, coverage=None):
    rows = len(feature)
    times = np.arange(rows) * 0.64
    seen = np.ones(rows, np.float32) if coverage is None else np.float32(coverage)
    return VideoFeatures(name, times, times + 0.64, seen, np.asarray(feature, np.float16))


def test_a_look_is_the_attended_mean_of_its_own_videos_less_the_mean_of_all():
    """A transcription, one snippet at a time."""
    rng = np.random.default_rng(0)
    clip = {n: video(n, rng.normal(size=(5, 3))) for n in "abc"}
    curves = {
        n: VideoCurves(rng.random(5), {"x": rng.random(5) + (n != "c"), "y": rng.random(5) + (n == "c")}) for n in "abc"
    }
    every = np.mean([row for v in clip.values() for row in v.feature.astype(float)], axis=0)
    for label, own in (("x", "ab"), ("y", "c")):
        means = []
        for n in own:
            total, weight = np.zeros(3), 0.0
            for k in range(5):
                total += curves[n].attention[k] * curves[n].activation[label][k] * clip[n].feature[k].astype(float)
                weight += curves[n].attention[k] * curves[n].activation[label][k]
            means.append(total / weight)
        np.testing.assert_allclose(compute_cluster_features(clip, curves)[label], np.mean(means, axis=0) - every)


def test_what_is_everywhere_names_nothing():
    """The second axis is background; the label's snippets add the third to it."""
    clip = {"a": video("a", [EYE[1], EYE[1], EYE[1] + EYE[2]])}
    look = compute_cluster_features(clip, {"a": VideoCurves([0, 0, 1], {"x": [1, 1, 1]})})["x"]
    assert rank_names(look, np.float32([EYE[1], EYE[2]]), ["background", "action"], 10.0)[0][0] == "action"


def test_snippets_without_a_picture_do_not_count():
    clip = {"a": video("a", [EYE[0], 0 * EYE[0]], coverage=[1, 0])}
    np.testing.assert_allclose(compute_cluster_features(clip, {"a": VideoCurves([1, 1], {"x": [1, 1]})})["x"], 0)


def test_without_any_picture_there_is_no_look():
    clip = {"a": video("a", 0 * EYE, coverage=[0, 0, 0])}
    assert not compute_cluster_features(clip, {"a": VideoCurves([1, 1, 1], {"x": [1, 1, 1]})})
    assert not compute_cluster_features({}, {})


def test_a_label_that_nothing_attends_to_has_no_look():
    assert not compute_cluster_features({"a": video("a", EYE)}, {"a": VideoCurves([0, 0, 0], {"x": [1, 1, 1]})})


def test_scores_are_probabilities_over_the_vocabulary():
    found = rank_names(np.array([2.0, 1.0, 0.0]), np.float32(EYE), ["a", "b", "c"], 1.0)
    assert [name for name, _ in found] == ["a", "b", "c"]
    assert sum(p for _, p in found) == pytest.approx(1)
    assert found[0][1] / found[1][1] == pytest.approx(np.e)
