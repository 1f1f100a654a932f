"""Error types against their definition, and impacts against the removal of the detections."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.core.error_types import ERROR_TYPES
from clip_ae.scoring.average_precision import average_over_classes, compute_average_precision, match
from clip_ae.scoring.error_analysis import (
    BACKGROUND,
    classify_detections,
    compute_error_impact,
    count_types_in_top_kg,
)
from clip_ae.scoring.segments import make_segments
from tests.scoring.reference_thumos14 import compute_tiou

THRESHOLDS, CLASSES = (0.3, 0.5), 3
ROW = st.tuples(st.integers(0, 2), st.integers(0, CLASSES - 1), st.integers(0, 12), st.integers(1, 8))
TRUTH_AND_DETECTIONS = (
    st.lists(ROW, min_size=1, max_size=8),
    st.lists(st.tuples(ROW, st.integers(0, 30)), max_size=20, unique_by=lambda d: d[1]),
)


def make_rows(truth, detections):
    truth = [(v, c, a, a + n, 1.0) for v, c, a, n in truth]
    return truth, [(v, c, a, a + n, s / 30) for (v, c, a, n), s in detections]


def match_rows(truth, detections, thresholds=THRESHOLDS):
    return match(make_segments(truth), make_segments(detections), thresholds)


def list_types(truth, detections, threshold):
    result = match_rows(truth, detections, (threshold,))
    return [ERROR_TYPES[k] for k in classify_detections(result, (threshold,))[0]]


def test_one_detection_of_each_type():
    truth = [(0, 0, 0, 10, 1.0), (0, 1, 40, 50, 1.0)]
    detections = [
        (0, 0, 0, 10, 0.9),  # true
        (0, 0, 0, 9, 0.8),  # double
        (0, 1, 0, 10, 0.7),  # wrong label
        (0, 0, 5, 25, 0.6),  # localization
        (0, 0, 45, 70, 0.5),  # confusion
        (0, 0, 80, 90, 0.4),  # background
        (1, 0, 0, 10, 0.3),  # background: another video
    ]
    assert list_types(truth, detections, 0.5) == [*ERROR_TYPES, "background"]


@settings(max_examples=150)
@given(*TRUTH_AND_DETECTIONS, st.sampled_from([0.05, 0.3, 0.5]))
def test_types_equal_their_definition(truth, detections, threshold):
    truth, detections = make_rows(truth, detections)
    result = match_rows(truth, detections, (threshold,))
    low = min(0.1, threshold)
    for error_type, hit, row in zip(
        classify_detections(result, (threshold,))[0],
        result.tp_mask[0],
        sorted(detections, key=lambda d: -d[4]),
        strict=True,
    ):
        own = max((compute_tiou(row[2:4], t[2:4]) for t in truth if t[:2] == row[:2]), default=0)
        any_class = max((compute_tiou(row[2:4], t[2:4]) for t in truth if t[0] == row[0]), default=0)
        tests = [("true", hit), ("double", own >= threshold), ("wrong label", any_class >= threshold)]
        tests += [("localization", own >= low), ("confusion", any_class >= low), ("background", True)]
        assert ERROR_TYPES[error_type] == next(name for name, holds in tests if holds)


@settings(max_examples=100)
@given(*TRUTH_AND_DETECTIONS)
def test_impact_equals_the_gain_from_removing_the_detections(truth, detections):
    truth, detections = make_rows(truth, detections)
    ranked = sorted(detections, key=lambda d: -d[4])
    result = match_rows(truth, detections)
    types = classify_detections(result, THRESHOLDS)
    for name, gain in compute_error_impact(result, types, CLASSES).items():
        for t, threshold in enumerate(THRESHOLDS):
            remaining = [d for d, k in zip(ranked, types[t], strict=True) if ERROR_TYPES[k] != name]
            reduced, full = (
                average_over_classes(
                    compute_average_precision(match_rows(truth, rows, (threshold,)), CLASSES), make_segments(truth)
                )[0]
                for rows in (remaining, detections)
            )
            assert gain[t] == pytest.approx(reduced - full, abs=1e-12)
            assert gain[t] >= -1e-12


def test_top_detections_are_counted_by_class():
    """At 1 G: two detections of a class with two instances, and none of a class without instances."""
    truth = [(0, 0, 0, 10, 1.0), (0, 0, 20, 30, 1.0)]
    detections = [(0, 1, 50, 60, 0.99)] + [(0, 0, 50 + k, 60 + k, 0.9 - k / 100) for k in range(5)]
    result = match_rows(truth, detections)
    counts = count_types_in_top_kg(result, np.full(len(detections), BACKGROUND))
    assert [c["background"] for c in counts] == [2, 4, 5, 5, 5, 5, 5, 5, 5, 5]
    assert sum(counts[0].values()) == 2
