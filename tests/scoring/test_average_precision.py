"""AP by ActivityNet's rules: hand-made cases, numbered, and a slow reference."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.scoring.average_precision import average_over_classes, compute_average_precision, match
from clip_ae.scoring.segments import Segments

THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.95)


def segments(*rows):
    """Rows (video, label, start, stop[, score])."""
    filled = [(*row, 1.0)[:5] for row in rows]
    video, label, start, stop, score = np.array(filled, np.float64).reshape(-1, 5).T
    return Segments(video.astype(np.int64), label.astype(np.int64), start, stop, score)


def ap(truth, detections, thresholds=THRESHOLDS, classes=1):
    return compute_average_precision(match(segments(*truth), segments(*detections), thresholds), classes)


def compute_reference_ap(truth, detections, threshold, label):
    """AP of one class at one threshold, by loops."""
    truth = sorted((t for t in truth if t[1] == label), key=lambda t: (t[0], t[2], t[3]))
    detections = sorted((d for d in detections if d[1] == label), key=lambda d: (-d[4], d[0], d[2], d[3]))
    matched, hits = set(), []
    for d in detections:
        overlaps = []
        for k, t in enumerate(truth):
            shared = max(0.0, min(d[3], t[3]) - max(d[2], t[2]))
            union = (d[3] - d[2]) + (t[3] - t[2]) - shared
            if t[0] == d[0] and union > 0:
                overlaps.append((-shared / union, k))
        hit = False
        for overlap, k in sorted(overlaps):
            if -overlap >= threshold and k not in matched:
                matched.add(k)
                hit = True
                break
        hits.append(hit)
    if not truth:
        return 0.0
    true = np.cumsum(hits)
    precision = [0.0, *(true / np.arange(1, len(hits) + 1)), 0.0]
    recall = [0.0, *(true / len(truth)), 1.0]
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))


def test_1_exact_detection():
    assert (ap([(0, 0, 2, 5)], [(0, 0, 2, 5, 0.3)]) == 1).all()


def test_2_copies_and_a_better_scored_wrong_one():
    exact = (0, 0, 2, 5, 0.9)
    assert (ap([(0, 0, 2, 5)], [exact, exact]) == 1).all()
    assert (ap([(0, 0, 2, 5)], [exact, (0, 0, 50, 60, 0.95)]) == 0.5).all()


def test_3_detection_in_a_video_without_the_class():
    assert (ap([(0, 0, 2, 5)], [(1, 0, 2, 5, 0.95), (0, 0, 2, 5, 0.9)]) == 0.5).all()


def test_4_one_long_detection_over_two_instances():
    result = ap([(0, 0, 0, 4), (0, 0, 6, 10)], [(0, 0, 0, 10, 0.5)])[:, 0]
    assert result.tolist() == [0.5, 0.5, 0.0, 0.0, 0.0]


def test_4_a_detection_takes_its_next_best_when_its_best_is_taken():
    truth = [(0, 0, 0, 10), (0, 0, 4, 14)]
    detections = [(0, 0, 0, 10, 0.9), (0, 0, 1, 11, 0.8)]
    # The second overlaps the first instance most, but that one is taken; 7 / 13 with the second is enough at 0.5.
    assert ap(truth, detections, (0.5,))[0, 0] == 1.0
    assert ap(truth, detections, (0.6,))[0, 0] == 0.5


@given(st.permutations([(0, 0, 2, 5, 0.5), (0, 0, 50, 60, 0.5), (1, 0, 2, 5, 0.5), (1, 0, 0, 1, 0.5)]))
def test_5_ties_do_not_depend_on_the_order_of_the_file(detections):
    truth = [(0, 0, 50, 60), (1, 0, 2, 5)]
    assert ap(truth, detections, (0.5,))[0, 0] == compute_reference_ap(truth, detections, 0.5, 0)
    assert ap(truth, detections, (0.5,))[0, 0] == pytest.approx(0.5)


def test_6_no_detections():
    assert (ap([(0, 0, 2, 5)], []) == 0).all()


def test_7_a_class_without_ground_truth_is_not_averaged():
    truth = [(0, 1, 2, 5)]
    result = ap(truth, [(0, 1, 2, 5, 0.9), (0, 0, 2, 5, 0.9)], (0.5,), classes=3)
    assert result.tolist() == [[0.0, 1.0, 0.0]]
    assert average_over_classes(result, segments(*truth)).tolist() == [1.0]


@pytest.mark.parametrize("threshold", [0.125, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("offset", [0.0, 0.5, 1234.0])
def test_8_exactly_the_threshold_counts_and_the_next_number_above_does_not(threshold, offset):
    """With numbers that float64 represents exactly: 0.7 - 0.1 is not 0.6 in float64."""
    truth, detection = (0, 0, offset, offset + 8), (0, 0, offset, offset + 8 * threshold, 0.5)
    assert ap([truth], [detection], (threshold,))[0, 0] == 1.0
    assert ap([truth], [detection], (np.nextafter(threshold, 1),))[0, 0] == 0.0


def test_10_zero_length():
    assert (ap([(0, 0, 2, 5)], [(0, 0, 3, 3, 0.9), (0, 0, 2, 5, 0.5)]) == 0.5).all()
    assert (ap([(0, 0, 3, 3)], [(0, 0, 3, 3, 0.9)]) == 0).all()


ROW = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 12), st.integers(0, 8))


@settings(max_examples=300)
@given(st.lists(ROW, min_size=1, max_size=10), st.lists(st.tuples(ROW, st.integers(0, 4)), max_size=25))
def test_ap_equals_the_slow_reference(truth, detections):
    truth = [(v, c, a, a + n) for v, c, a, n in truth]
    detections = [(v, c, a, a + n, s / 4) for (v, c, a, n), s in detections]
    result = ap(truth, detections, THRESHOLDS, classes=3)
    expected = [[compute_reference_ap(truth, detections, t, c) for c in range(3)] for t in THRESHOLDS]
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)


def test_half_a_million_crowded_detections_in_seconds():
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 100, 4000)
    truth = Segments(rng.integers(0, 200, 4000), rng.integers(0, 20, 4000), start, start + 20, np.ones(4000))
    near = truth.take(rng.integers(0, 4000, 500_000))
    shift = rng.normal(0, 5, (2, len(near)))
    detections = Segments(
        near.video, near.label, near.start + shift[0], near.stop + abs(shift[1]), rng.random(len(near))
    )
    began = time.perf_counter()
    compute_average_precision(match(truth, detections, tuple(k / 10 for k in range(1, 8))), 20)
    assert time.perf_counter() - began < 10
