"""Groups of actions by characteristic, and the normalised mAP of each group."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.scoring.average_precision import compute_average_precision, match
from clip_ae.scoring.matching import match_ground_truth
from clip_ae.scoring.segments import make_segments
from clip_ae.scoring.sensitivity import (
    InstanceGroup,
    compute_characteristics,
    compute_group_maps,
    compute_normalised_ap,
    compute_sensitivities,
    group_by_value,
)

TIOU = (0.3, 0.5)


def sensitivity(truth, detections, *members):
    matches = match(make_segments(truth), make_segments(detections), TIOU)
    groups = [InstanceGroup(0, 0, np.array(m, bool)) for m in members]
    return compute_sensitivities(matches, match_ground_truth(matches.ground_truth, matches.detections, TIOU), groups)


def group_maps(truth, detections, *members):
    matches = match(make_segments(truth), make_segments(detections), TIOU)
    groups = [InstanceGroup(0, 0, np.array(m, bool)) for m in members]
    return compute_group_maps(matches, match_ground_truth(matches.ground_truth, matches.detections, TIOU), groups)


@given(st.lists(st.one_of(st.floats(0, 100), st.just(np.nan)), max_size=40))
def test_each_finite_value_is_in_one_group_and_groups_rise(values):
    values = np.array(values, float)
    groups = group_by_value(values)
    assert len(groups) <= 5
    num_groups = sum((g.member_mask.astype(int) for g in groups), np.zeros(len(values), int))
    assert np.array_equal(num_groups == 1, np.isfinite(values))
    assert all(a.high < b.low for a, b in itertools.pairwise(groups))


def test_fifths_of_many_different_values_are_equal_in_size():
    assert [int(g.member_mask.sum()) for g in group_by_value(np.arange(100.0))] == [20] * 5
    assert [(g.low, g.high) for g in group_by_value(np.array([2.0] * 9 + [3.0]))] == [(2, 2), (3, 3)]


def test_characteristics_of_actions():
    truth = make_segments([(0, 0, 2, 6, 1.0), (0, 0, 10, 11, 1.0), (0, 1, 0, 3, 1.0), (1, 0, 0, 2, 1.0)])
    characteristics = compute_characteristics(truth, np.array([20.0, np.nan]))
    assert characteristics["length"].tolist() == [4, 1, 3, 2]
    assert characteristics["coverage"][:3].tolist() == [0.2, 0.05, 0.15]
    assert np.isnan(characteristics["coverage"][3])
    assert characteristics["instances"].tolist() == [2, 2, 1, 1]


def test_every_group_scores_one_for_a_perfect_detector_and_zero_without_detections():
    truth = [(0, 0, 0, 5, 1.0), (0, 1, 10, 15, 1.0), (1, 0, 0, 5, 1.0)]
    assert sensitivity(truth, truth, [1, 1, 0], [0, 0, 1]) == [1.0, 1.0]
    assert sensitivity(truth, [], [1, 1, 0], [0, 0, 1]) == [0.0, 0.0]


def test_detections_matched_to_other_groups_are_ignored():
    truth = [(0, 0, 0, 5, 1.0), (0, 0, 10, 15, 1.0)]
    detections = [(0, 0, 10, 15, 0.9), (0, 0, 0, 5, 0.8)]
    assert sensitivity(truth, detections, [1, 0]) == [1.0]
    assert sensitivity(truth, detections[:1], [1, 0]) == [0.0]


def test_sensitivity_does_not_depend_on_the_group_size():
    """Half of the actions of each group are detected, after five false positives."""
    truth = [(v, 0, 0, 5, 1.0) for v in range(10)]
    false = [(20, 0, 50 + k, 60 + k, 0.99) for k in range(5)]
    true = [(v, 0, 0, 5, 0.5) for v in (0, 4, 5, 6)]
    small, large = [v in (0, 1) for v in range(10)], [v in (4, 5, 6, 7, 8, 9) for v in range(10)]
    assert sensitivity(truth, false + true, small, large) == pytest.approx([0.5 * 5 / 10, 0.5 * 5 / 10])


def test_one_group_of_all_actions_has_the_usual_ap():
    rng = np.random.default_rng(0)
    truth = [(v, 0, 0, 5, 1.0) for v in range(8)]
    detections = [(v, 0, 0 if rng.random() < 0.5 else 20, 25, rng.random()) for v in range(8)]
    detections = [(v, c, a, a + 5, s) for v, c, a, _, s in detections]
    usual_ap = compute_average_precision(match(make_segments(truth), make_segments(detections), TIOU), 1).mean()
    assert sensitivity(truth, detections, [1] * 8) == pytest.approx([usual_ap])


def test_map_of_a_group_by_hand():
    """False, true of the group, true of another group, true of the group: precision 1/2, then 2/3."""
    truth = [(0, 0, 0, 5, 1.0), (1, 0, 0, 5, 1.0), (2, 0, 0, 5, 1.0), (3, 1, 0, 5, 1.0)]
    detections = [(9, 0, 0, 5, 0.9), (0, 0, 0, 5, 0.8), (2, 0, 0, 5, 0.7), (1, 0, 0, 5, 0.6)]
    maps = group_maps(truth, detections, [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1])
    # The second group: false, true. The third: a class without detections.
    assert maps == pytest.approx([2 / 3, 1 / 2, 0.0])


def test_map_of_one_group_of_all_actions_is_the_usual_map():
    rng = np.random.default_rng(1)
    truth = [(v, v % 2, 0, 5, 1.0) for v in range(12)]
    detections = [(v, v % 2, a, a + 5, rng.random()) for v, a in enumerate(rng.integers(0, 5, 12).tolist())]
    usual_ap = compute_average_precision(match(make_segments(truth), make_segments(detections), TIOU), 2).mean()
    assert group_maps(truth, detections, [1] * 12) == pytest.approx([usual_ap])
    assert group_maps(truth, [], [1] * 12) == [0.0]


def test_normalised_ap_by_hand():
    """Ranks 0 to 3: false, true, matched to another group, true; recall 1/2 and 1, N = 4, so 2/(2+1) and 4/(4+1)."""
    ap = compute_normalised_ap(np.arange(4), np.array([1, 3]), np.array([2]), 4.0)
    assert ap == pytest.approx((max(2 / 3, 4 / 5) + 4 / 5) / 2)
