"""Spans: where a curve is high, where attention is low, and annotated instances on the grid."""

import numpy as np
import pytest

from clip_ae.core.types import Instance, VideoFeatures
from clip_ae.language import spans
from clip_ae.language.spans import Span


def video(rows=10, name="v"):
    times = 0.64 * np.arange(rows)
    feature = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float16)
    return VideoFeatures(name, times, times + 0.64, np.ones(rows, np.float32), feature)


def test_actions_are_the_ranges_with_at_least_half_the_maximum():
    curve = np.array([0.0, 0.4, 0.8, 0.5, 0.1, 0.4, 0.39])
    assert spans.find_actions("v", curve, 3) == [Span("v", 1, 4, 3), Span("v", 5, 6, 3)]


def test_a_curve_of_zeros_has_no_action():
    assert not spans.find_actions("v", np.zeros(5), 1)


def test_background_is_the_least_attended_part_of_the_covered_snippets():
    attention = np.array([0.9, 0.1, 0.2, 0.8, 0.0, 0.7, 0.9, 0.9, 0.9, 0.9])
    coverage_mask = np.ones(10, bool)
    assert spans.find_background("v", attention, coverage_mask) == [Span("v", 1, 3), Span("v", 4, 5)]
    coverage_mask[4] = False
    assert Span("v", 4, 5) not in spans.find_background("v", attention, coverage_mask)
    assert not spans.find_background("v", attention, np.zeros(10, bool))


@pytest.mark.parametrize(
    ("start", "stop", "first", "end"),
    [(0.64, 1.92, 1, 3), (0.9, 2.3, 1, 4), (0.0, 99.0, 0, 10), (1.0, 1.1, 1, 2), (50.0, 51.0, 9, 10)],
)
def test_an_instance_contains_the_snippets_with_their_middle_inside_and_at_least_one(start, stop, first, end):
    result = spans.instances_to_spans(video(), [Instance("a", start, stop)], {"a": 2})
    assert result == [Span("v", first, end, 2)]


def test_span_means_have_unit_length():
    means = spans.compute_span_means([Span("v", 2, 5, 1)], {"v": video()})
    expected = video().feature[2:5].astype(float).mean(axis=0)
    np.testing.assert_allclose(means, [expected / np.linalg.norm(expected)], rtol=1e-6)


def test_a_row_of_zeros_is_not_normalized():
    np.testing.assert_array_equal(spans.normalize_rows(np.zeros((1, 3))), np.zeros((1, 3)))
