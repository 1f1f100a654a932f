import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.scoring.average_precision import compute_average_precision, match
from clip_ae.scoring.matching import match_ground_truth
from clip_ae.scoring.segments import make_segments
from clip_ae.scoring.sensitivity import InstanceGroup, compute_characteristics, compute_sensitivities, group_by_value

TIOU = (0.3, 0.5)


def sensitivity(truth, detections, *members):
    judged = match(make_segments(truth), make_segments(detections), TIOU)
    some = [InstanceGroup(0, 0, np.array(m, bool)) for m in members]
    return compute_sensitivities(judged, match_ground_truth(judged.ground_truth, judged.detections, TIOU), some)


@given(st.lists(st.one_of(st.floats(0, 100), st.just(np.nan)), max_size=40))
def test_each_finite_value_is_in_one_group_and_groups_rise(values):
    values = np.array(values, float)
    found = group_by_value(values)
    assert len(found) <= 5
    together = sum((g.member_mask.astype(int) for g in found), np.zeros(len(values), int))
    assert np.array_equal(together == 1, np.isfinite(values))
    assert all(a.high < b.low for a, b in itertools.pairwise(found))


def test_fifths_of_many_different_values_are_equal_in_size():
    assert [int(g.member_mask.sum()) for g in group_by_value(np.arange(100.0))] == [20] * 5
    assert [(g.low, g.high) for g in group_by_value(np.array([2.0] * 9 + [3.0]))] == [(2, 2), (3, 3)]


def test_characteristics_of_actions():
    truth = make_segments([(0, 0, 2, 6, 1.0), (0, 0, 10, 11, 1.0), (0, 1, 0, 3, 1.0), (1, 0, 0, 2, 1.0)])
    found = compute_characteristics(truth, np.array([20.0, np.nan]))
    assert found["length"].tolist() == [4, 1, 3, 2]
    assert found["coverage"][:3].tolist() == [0.2, 0.05, 0.15]
    assert np.isnan(found["coverage"][3])
    assert found["instances"].tolist() == [2, 2, 1, 1]


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
    """Of ten actions, a detector finds half of each group behind five false detections."""
    truth = [(v, 0, 0, 5, 1.0) for v in range(10)]
    false = [(20, 0, 50 + k, 60 + k, 0.99) for k in range(5)]
    found = [(v, 0, 0, 5, 0.5) for v in (0, 4, 5, 6)]
    small, large = [v in (0, 1) for v in range(10)], [v in (4, 5, 6, 7, 8, 9) for v in range(10)]
    assert sensitivity(truth, false + found, small, large) == pytest.approx([0.5 * 5 / 10, 0.5 * 5 / 10])


def test_one_group_of_all_actions_has_the_usual_ap():
    rng = np.random.default_rng(0)
    truth = [(v, 0, 0, 5, 1.0) for v in range(8)]
    detections = [(v, 0, 0 if rng.random() < 0.5 else 20, 25, rng.random()) for v in range(8)]
    detections = [(v, c, a, a + 5, s) for v, c, a, _, s in detections]
    plain = compute_average_precision(match(make_segments(truth), make_segments(detections), TIOU), 1).mean()
    assert sensitivity(truth, detections, [1] * 8) == pytest.approx([plain])
