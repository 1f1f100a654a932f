"""What is pasted: where a curve is high, where attention is low, and annotated instances on the grid."""

import numpy as np
import pytest

from clip_ae.core.types import Instance, VideoFeatures
from clip_ae.language import spans
from clip_ae.language.spans import Span


def video(rows=10, name="v"):
    times = 0.64 * np.arange(rows)
    feature = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float16)
    return VideoFeatures(name, times, times + 0.64, np.ones(rows, np.float32), feature)


def test_actions_are_the_runs_of_at_least_half_the_maximum():
    curve = np.array([0.0, 0.4, 0.8, 0.5, 0.1, 0.4, 0.39])
    assert list(spans.find_actions("v", curve, 3)) == [Span("v", 1, 4, 3), Span("v", 5, 6, 3)]


def test_a_curve_of_nothing_has_no_action():
    assert not list(spans.find_actions("v", np.zeros(5), 1))


def test_background_is_the_least_attended_part_of_what_was_seen():
    attention = np.array([0.9, 0.1, 0.2, 0.8, 0.0, 0.7, 0.9, 0.9, 0.9, 0.9])
    covered = np.ones(10, bool)
    assert list(spans.find_background("v", attention, covered)) == [Span("v", 1, 3), Span("v", 4, 5)]
    covered[4] = False
    assert Span("v", 4, 5) not in list(spans.find_background("v", attention, covered))
    assert not list(spans.find_background("v", attention, np.zeros(10, bool)))


@pytest.mark.parametrize(
    ("start", "stop", "first", "end"),
    [(0.64, 1.92, 1, 3), (0.9, 2.3, 1, 4), (0.0, 99.0, 0, 10), (1.0, 1.1, 1, 2), (50.0, 51.0, 9, 10)],
)
def test_an_instance_is_the_snippets_whose_middles_lie_within_and_one_at_least(start, stop, first, end):
    found = list(spans.instances_to_spans(video(), [Instance("a", start, stop)], {"a": 2}))
    assert found == [Span("v", first, end, 2)]


def test_a_spans_mean_has_length_one():
    found = spans.compute_span_means([Span("v", 2, 5, 1)], {"v": video()})
    expected = video().feature[2:5].astype(float).mean(axis=0)
    np.testing.assert_allclose(found, [expected / np.linalg.norm(expected)], rtol=1e-6)


def test_nothing_has_no_direction():
    np.testing.assert_array_equal(spans.normalize_rows(np.zeros((1, 3))), np.zeros((1, 3)))
