"""AUC of attention and of class activations against annotated actions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Annotation, Instance, VideoCurves
from clip_ae.scoring.curve_auc import compute_roc_auc, mask_snippets, measure_activation, measure_attention

# Snippet k covers the seconds k to k + 1; its centre is at k + 0.5.
GRID = SnippetGrid(fps=16, frames=16, stride=16)
VALUES = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=20)


def annotation(*instances, ambiguous=()):
    return Annotation("test", tuple(Instance(*i) for i in instances), ambiguous=ambiguous)


def test_roc_auc_by_hand():
    """Pairs: (3, 1) 1, (3, 3) half, (2, 1) 1, (2, 3) 0."""
    assert compute_roc_auc(np.array([3.0, 2.0]), np.array([1.0, 3.0])) == 2.5 / 4
    assert compute_roc_auc(np.array([3.0]), np.array([1.0, 2.0])) == 1.0
    assert compute_roc_auc(np.array([0.0]), np.array([1.0, 2.0])) == 0.0


def test_equal_values_are_chance():
    assert compute_roc_auc(np.full(3, 0.7), np.full(5, 0.7)) == 0.5


@given(VALUES, VALUES)
def test_roc_auc_is_the_mean_over_all_pairs(inside, outside):
    pairs = [(i > o) + (i == o) / 2 for i in inside for o in outside]
    assert compute_roc_auc(np.array(inside), np.array(outside)) == pytest.approx(np.mean(pairs))


@given(VALUES, VALUES)
def test_a_rising_function_of_the_curve_changes_nothing_and_a_falling_one_turns_it_round(inside, outside):
    inside, outside = np.array(inside), np.array(outside)
    auc = compute_roc_auc(inside, outside)
    assert compute_roc_auc(np.exp(inside / 9), np.exp(outside / 9)) == auc
    assert compute_roc_auc(inside**3, outside**3) == auc
    assert compute_roc_auc(-inside, -outside) == pytest.approx(1 - auc)


def test_a_snippet_is_inside_if_its_centre_is():
    assert mask_snippets([(0.5, 1.5), (3.6, 9.0)], 5, GRID).tolist() == [True, False, False, False, True]
    assert mask_snippets([], 2, GRID).tolist() == [False, False]


def test_attention_is_a_mean_over_videos_with_both_kinds_of_snippets():
    curves = {
        "half": VideoCurves([0.9, 0.5, 0.5, 0.1], {}),
        "all": VideoCurves([0.1, 0.9], {}),
        "whole video is an action": VideoCurves([0.5, 0.6], {}),
        "no action": VideoCurves([0.5, 0.6], {}),
        "one snippet": VideoCurves([0.5], {}),
        "of another subset": VideoCurves([0.5, 0.6], {}),
    }
    test = {
        "half": annotation(("a", 1, 2), ("b", 0, 1)),
        "all": annotation(("a", 1, 2)),
        "whole video is an action": annotation(("a", 0, 2)),
        "no action": annotation(),
        "one snippet": annotation(("a", 0, 1)),
        "without curves": annotation(("a", 0, 1)),
    }
    # half: 0.9 against 0.5 and 0.1, 0.5 against 0.5 and 0.1: (1 + 1 + 0.5 + 1) / 4.
    assert measure_attention(curves, test, GRID) == {"auc": pytest.approx((3.5 / 4 + 1) / 2), "videos": 2}


def test_no_video_at_all_has_no_auc():
    assert measure_attention({}, {}, GRID) == {"auc": None, "videos": 0}
    assert measure_attention({"v": VideoCurves([0.5], {})}, {"v": annotation(("a", 0, 1))}, GRID)["auc"] is None
    assert measure_activation({}, {"v": annotation(("a", 0, 1))}, GRID) == {
        "auc": None,
        "pairs": 0,
        "pairs_without_curve": 0,
    }


def test_ambiguous_snippets_are_left_out():
    curves = {"v": VideoCurves([0.5, 0.9, 0.1], {"a": [0.5, 0.9, 0.1]})}
    test = {"v": annotation(("a", 0, 1), ambiguous=((1, 2),))}
    assert measure_attention(curves, test, GRID)["auc"] == 1.0
    assert measure_activation(curves, test, GRID)["auc"] == 1.0
    test = {"v": annotation(("a", 0, 1), ambiguous=((1, 3),))}
    assert measure_attention(curves, test, GRID) == {"auc": None, "videos": 0}


def test_activation_is_compared_for_each_true_class_of_a_video():
    activation = {"a": [0.9, 0.2, 0.1], "b": [0.5, 0.1, 0.9], "c": [0.0, 1.0, 0.0]}
    curves = {"v": VideoCurves([0.0] * 3, activation)}
    test = {"v": annotation(("a", 0, 1), ("b", 1, 2), ("d", 2, 3))}
    # a: 1; b: 0.1 is below both; c is not in the video; d has no curve.
    assert measure_activation(curves, test, GRID) == {"auc": 0.5, "pairs": 2, "pairs_without_curve": 1}


def test_the_activation_of_a_class_is_the_highest_of_its_clusters():
    activation = {"cluster-00": [0.2, 0.6, 0.0], "cluster-01": [0.9, 0.0, 0.0]}
    curves = {"v": VideoCurves([0.0] * 3, activation)}
    test = {"v": annotation(("a", 0, 2), ("b", 0, 1))}
    weights = {"cluster-00": {"a": 1.0}, "cluster-01": {"a": 0.5, "b": 1.0}, "cluster-02": {"b": 1.0}}
    # a: max(0.2, 0.45), 0.6 and 0; b: cluster-01 alone.
    assert measure_activation(curves, test, GRID, weights)["auc"] == 1.0
    del weights["cluster-01"]["b"]
    found = measure_activation(curves, test, GRID, weights)
    assert (found["pairs"], found["pairs_without_curve"]) == (1, 1)
