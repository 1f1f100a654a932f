"""Mappings of clusters to classes, and their effect on detections."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clip_ae.scoring.average_precision import compute_average_precision, match
from clip_ae.scoring.mapping import CLUSTER_MAPPINGS, apply_mapping, hard_majority, hungarian, soft_majority
from clip_ae.scoring.segments import Segments

COUNTS = arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.integers(0, 6))


def test_soft_majority_weighs_ties_one_and_half_the_count_a_half():
    counts = np.array([[4, 2, 1, 0], [3, 3, 0, 1], [0, 0, 0, 0], [0, 5, 3, 2]])
    expected = [[1, 0.5, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0.5, 0]]
    assert soft_majority(counts).tolist() == expected


def test_hard_majority_takes_the_first_of_ties():
    assert hard_majority(np.array([[1, 3, 3], [0, 0, 0]])).tolist() == [[0, 1, 0], [0, 0, 0]]


def test_hungarian_is_one_to_one_where_majority_is_not():
    counts = np.array([[5, 4], [6, 0]])
    assert hard_majority(counts).tolist() == [[1, 0], [1, 0]]
    assert hungarian(counts).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("name", CLUSTER_MAPPINGS)
@given(counts=COUNTS)
def test_no_weight_without_a_video(name, counts):
    weights = CLUSTER_MAPPINGS[name](counts)
    assert weights.shape == counts.shape
    assert not weights[counts == 0].any()


@given(counts=COUNTS)
def test_hungarian_agrees_with_at_most_one_a_row_and_column(counts):
    weights = hungarian(counts)
    assert weights.sum(axis=0).max() <= 1
    assert weights.sum(axis=1).max() <= 1


def test_11_two_clusters_of_one_class_make_duplicates_and_weights_scale_scores():
    columns = np.zeros(2, np.int64), np.array([0, 1]), np.zeros(2), np.ones(2), np.array([0.9, 0.8])
    mapped = apply_mapping(np.array([[1.0, 0.5], [1.0, 0.0]]), Segments(*columns))
    assert sorted(zip(mapped.label.tolist(), mapped.score.tolist(), strict=True)) == [(0, 0.8), (0, 0.9), (1, 0.45)]
    truth = Segments(np.array([0, 1]), np.array([0, 0]), np.array([0.0, 5]), np.array([1.0, 6]), np.ones(2))
    # One of the two copies is a false positive: recall is still a half.
    assert compute_average_precision(match(truth, mapped, (0.5,)), 2).tolist() == [[0.5, 0.0]]
