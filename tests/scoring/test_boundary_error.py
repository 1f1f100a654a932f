"""Errors of the boundaries of true detections."""

from clip_ae.scoring.boundary_error import measure_boundary_error
from clip_ae.scoring.matching import match_ground_truth
from clip_ae.scoring.segments import make_segments

TRUTH = make_segments([(0, 0, 0, 10, 1.0), (0, 0, 20, 30, 1.0), (1, 0, 0, 10, 1.0), (1, 1, 0, 10, 1.0)])


def measure(rows):
    detections = make_segments(rows).sort_by_score()
    return measure_boundary_error(TRUTH, detections, match_ground_truth(TRUTH, detections, (0.5,))[0])


def test_boundary_errors_by_hand():
    """Errors of starts: +1, -2, +4; of stops: 0, +1, 0. The fourth action is missed, a false detection counts not."""
    found = measure([(0, 0, 1, 10, 0.9), (0, 0, 18, 31, 0.2), (1, 0, 4, 10, 0.8), (1, 1, 8, 10, 0.9)])
    assert found == {
        "actions": 3,
        "start": {"median_absolute_s": 2.0, "mean_signed_s": 1.0},
        "stop": {"median_absolute_s": 0.0, "mean_signed_s": 1 / 3},
    }


def test_perfect_boundaries_and_no_detection():
    assert measure([(0, 0, 20, 30, 0.5)])["start"] == {"median_absolute_s": 0.0, "mean_signed_s": 0.0}
    assert measure([]) == {"actions": 0, "start": None, "stop": None}
