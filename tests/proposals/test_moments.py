"""Moments of a curve: borders, order and scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clip_ae.core.timeline import SnippetGrid
from clip_ae.proposals.moments import rank_moments

GRID = SnippetGrid()
CURVES = arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-30, 30))


def plateau(length: int, inside: slice, value: float = 3.0) -> np.ndarray:
    curve = np.full(length, -2.0)
    curve[inside] = value
    return curve


@given(CURVES, st.floats(0.01, 1))
def test_moments_are_inside_the_video_and_ordered_by_score(curve: np.ndarray, last_coverage: float) -> None:
    duration = GRID.start(len(curve) - 1) + last_coverage * GRID.snippet_s
    moments = rank_moments(curve, GRID, duration)
    assert all(0 <= start < stop <= duration for start, stop, _ in moments)
    scores = [score for *_, score in moments]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)


@given(st.integers(2, 16), st.integers(0, 26), st.integers(0, 5))
def test_the_borders_of_a_plateau_are_correct_to_half_a_snippet(length: int, first: int, after: int) -> None:
    """At any distance from the ends of the video, as long as it fills less than half of the video."""
    total = max(first + length + after, 2 * length + 2)
    (start, stop, _), *_ = rank_moments(plateau(total, slice(first, first + length)), GRID, GRID.stop(total - 1))
    assert start == pytest.approx(GRID.start(first), abs=GRID.stride_s / 2)
    assert stop == pytest.approx(GRID.stop(first + length - 1), abs=GRID.stride_s / 2)


@pytest.mark.parametrize("curve", [np.full(20, 0.7), np.zeros(5), np.array([2.0])], ids=["level", "zero", "one"])
def test_a_constant_curve_has_no_moment(curve: np.ndarray) -> None:
    assert rank_moments(curve, GRID, GRID.stop(len(curve) - 1)) == []


def evidence(length: int, value: float) -> float:
    curve = plateau(2 * length + 20, slice(10, 10 + length), value)
    *_, score = rank_moments(curve, GRID, GRID.stop(len(curve) - 1))[0]
    return score / (1 - score)


def test_evidence_grows_with_length_and_height() -> None:
    assert evidence(64, 3.0) == pytest.approx(2 * evidence(16, 3.0), rel=0.05)
    assert evidence(8, 1.0) < evidence(8, 3.0)


def test_very_low_snippets_do_not_move_borders() -> None:
    """For example a title screen: heights are counted from a quantile, not from the minimum."""
    curve = plateau(40, slice(10, 18))
    curve[:8] = -50
    start, stop, _ = rank_moments(curve, GRID, GRID.stop(39))[0]
    assert start == pytest.approx(GRID.start(10), abs=GRID.stride_s / 2)
    assert stop == pytest.approx(GRID.stop(17), abs=GRID.stride_s / 2)


def test_across_videos_a_match_scores_higher_than_a_relative_peak() -> None:
    """Both curves rise equally and for the same time, but the maximum of the first is below 0."""
    low = rank_moments(plateau(40, slice(10, 18)) - 4, GRID, GRID.stop(39))[0]
    high = rank_moments(plateau(40, slice(10, 18)), GRID, GRID.stop(39))[0]
    assert low[:2] == pytest.approx(high[:2], abs=GRID.stride_s / 2)
    assert low[2] < 0.25
    assert high[2] > 0.6


def test_a_moment_of_sixteen_snippets_scores_by_its_mean_logit_alone() -> None:
    *_, score = rank_moments(plateau(40, slice(10, 26), 3.0), GRID, GRID.stop(39))[0]
    expected = np.log1p(np.exp(3.0))
    assert score == pytest.approx(expected / (1 + expected), abs=0.02)


def test_two_peaks_are_both_found_and_the_higher_is_first() -> None:
    curve = plateau(40, slice(5, 10), 1.0)
    curve[25:30] = 3.0
    moments = rank_moments(curve, GRID, GRID.stop(39))
    assert moments[0][0] == pytest.approx(GRID.start(25), abs=GRID.stride_s / 2)
    earlier = next(moment for moment in moments if moment[1] <= moments[0][0])
    assert earlier[0] == pytest.approx(GRID.start(5), abs=GRID.stride_s / 2)
    assert earlier[2] > 0.1


def test_there_is_no_moment_after_the_end_of_the_video() -> None:
    """Only a tenth of the last snippet was decoded, and the curve is high there only."""
    duration = GRID.start(9) + 0.1 * GRID.snippet_s
    assert all(stop - start > 0 for start, stop, _ in rank_moments(plateau(10, slice(9, 10)), GRID, duration))
