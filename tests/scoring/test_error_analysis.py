"""Kinds of false detections beside their definition, and costs beside really leaving detections out."""

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
from tests.scoring.plain_thumos14 import iou

THRESHOLDS, CLASSES = (0.3, 0.5), 3
ROW = st.tuples(st.integers(0, 2), st.integers(0, CLASSES - 1), st.integers(0, 12), st.integers(1, 8))
WORLDS = (
    st.lists(ROW, min_size=1, max_size=8),
    st.lists(st.tuples(ROW, st.integers(0, 30)), max_size=20, unique_by=lambda d: d[1]),
)


def world(truth, detections):
    truth = [(v, c, a, a + n, 1.0) for v, c, a, n in truth]
    return truth, [(v, c, a, a + n, s / 30) for (v, c, a, n), s in detections]


def judged(truth, detections, thresholds=THRESHOLDS):
    return match(make_segments(truth), make_segments(detections), thresholds)


def named(truth, detections, threshold):
    result = judged(truth, detections, (threshold,))
    return [ERROR_TYPES[k] for k in classify_detections(result, (threshold,))[0]]


def test_one_detection_of_each_type():
    truth = [(0, 0, 0, 10, 1.0), (0, 1, 40, 50, 1.0)]
    detections = [
        (0, 0, 0, 10, 0.9),  # true
        (0, 0, 0, 9, 0.8),  # the same action once more
        (0, 1, 0, 10, 0.7),  # another class's action, well placed
        (0, 0, 5, 25, 0.6),  # its action, badly placed
        (0, 0, 45, 70, 0.5),  # another's, badly placed
        (0, 0, 80, 90, 0.4),  # nothing there
        (1, 0, 0, 10, 0.3),  # another video
    ]
    assert named(truth, detections, 0.5) == [*ERROR_TYPES, "background"]


@settings(max_examples=150, deadline=None)
@given(*WORLDS, st.sampled_from([0.05, 0.3, 0.5]))
def test_types_equal_their_definition(truth, detections, threshold):
    truth, detections = world(truth, detections)
    result = judged(truth, detections, (threshold,))
    faint = min(0.1, threshold)
    for found, hit, row in zip(
        classify_detections(result, (threshold,))[0],
        result.tp_mask[0],
        sorted(detections, key=lambda d: -d[4]),
        strict=True,
    ):
        own = max((iou(row[2:4], t[2:4]) for t in truth if t[:2] == row[:2]), default=0)
        anyone = max((iou(row[2:4], t[2:4]) for t in truth if t[0] == row[0]), default=0)
        words = [("true", hit), ("double", own >= threshold), ("wrong label", anyone >= threshold)]
        words += [("localization", own >= faint), ("confusion", anyone >= faint), ("background", True)]
        assert ERROR_TYPES[found] == next(name for name, holds in words if holds)


@settings(max_examples=100, deadline=None)
@given(*WORLDS)
def test_impact_equals_the_gain_from_removing_the_detections(truth, detections):
    truth, detections = world(truth, detections)
    ranked = sorted(detections, key=lambda d: -d[4])
    result = judged(truth, detections)
    kind = classify_detections(result, THRESHOLDS)
    for name, gain in compute_error_impact(result, kind, CLASSES).items():
        for t, threshold in enumerate(THRESHOLDS):
            kept = [d for d, k in zip(ranked, kind[t], strict=True) if ERROR_TYPES[k] != name]
            fewer, whole = (
                average_over_classes(
                    compute_average_precision(judged(truth, some, (threshold,)), CLASSES), make_segments(truth)
                )[0]
                for some in (kept, detections)
            )
            assert gain[t] == pytest.approx(fewer - whole, abs=1e-12)
            assert gain[t] >= -1e-12


def test_top_detections_are_counted_by_class():
    """Of a class with two instances the two best count at 1 G, of one without any none, however good its scores."""
    truth = [(0, 0, 0, 10, 1.0), (0, 0, 20, 30, 1.0)]
    detections = [(0, 1, 50, 60, 0.99)] + [(0, 0, 50 + k, 60 + k, 0.9 - k / 100) for k in range(5)]
    result = judged(truth, detections)
    counts = count_types_in_top_kg(result, np.full(len(detections), BACKGROUND))
    assert [c["background"] for c in counts] == [2, 4, 5, 5, 5, 5, 5, 5, 5, 5]
    assert sum(counts[0].values()) == 2
