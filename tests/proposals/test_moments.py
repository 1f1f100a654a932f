"""Where a curve stands out, by how much and for how long."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clip_ae.core.timeline import SnippetGrid
from clip_ae.proposals.moments import rank_moments

GRID = SnippetGrid()
CURVES = arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-30, 30))


def plateau(length: int, high: slice, value: float = 3.0) -> np.ndarray:
    curve = np.full(length, -2.0)
    curve[high] = value
    return curve


@given(CURVES, st.floats(0.01, 1))
def test_moments_lie_within_the_video_and_fall_in_score(curve: np.ndarray, last: float) -> None:
    end = GRID.start(len(curve) - 1) + last * GRID.snippet_s
    found = list(rank_moments(curve, GRID, end))
    assert all(0 <= start < stop <= end for start, stop, _ in found)
    scores = [score for *_, score in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)


@given(st.integers(2, 16), st.integers(0, 26), st.integers(0, 5))
def test_a_plateau_is_found_to_half_a_snippet(length: int, first: int, after: int) -> None:
    """However near the video's ends, if it fills less than all but what is taken to be elsewhere."""
    total = max(first + length + after, 2 * length + 2)
    (start, stop, _), *_ = rank_moments(plateau(total, slice(first, first + length)), GRID, GRID.stop(total - 1))
    assert start == pytest.approx(GRID.start(first), abs=GRID.stride_s / 2)
    assert stop == pytest.approx(GRID.stop(first + length - 1), abs=GRID.stride_s / 2)


@pytest.mark.parametrize("curve", [np.full(20, 0.7), np.zeros(5), np.array([2.0])], ids=["level", "zero", "one"])
def test_what_is_level_has_no_moment(curve: np.ndarray) -> None:
    assert list(rank_moments(curve, GRID, GRID.stop(len(curve) - 1))) == []


def evidence(length: int, value: float) -> float:
    score = next(
        rank_moments(plateau(2 * length + 20, slice(10, 10 + length), value), GRID, GRID.stop(2 * length + 19))
    )[2]
    return score / (1 - score)


def test_longer_and_higher_is_surer() -> None:
    assert evidence(64, 3.0) == pytest.approx(2 * evidence(16, 3.0), rel=0.05)
    assert evidence(8, 1.0) < evidence(8, 3.0)


def test_what_is_far_below_the_rest_moves_no_border() -> None:
    """As a title does: heights are not counted from there."""
    curve = plateau(40, slice(10, 18))
    curve[:8] = -50
    start, stop, _ = next(rank_moments(curve, GRID, GRID.stop(39)))
    assert start == pytest.approx(GRID.start(10), abs=GRID.stride_s / 2)
    assert stop == pytest.approx(GRID.stop(17), abs=GRID.stride_s / 2)


def test_between_videos_what_looks_like_it_goes_before_what_only_stands_out() -> None:
    """Both rise by as much, and for as long; one ends up below what any other snippet looks like."""
    low = next(rank_moments(plateau(40, slice(10, 18)) - 4, GRID, GRID.stop(39)))
    high = next(rank_moments(plateau(40, slice(10, 18)), GRID, GRID.stop(39)))
    assert low[:2] == pytest.approx(high[:2], abs=GRID.stride_s / 2)
    assert low[2] < 0.25
    assert high[2] > 0.6


def test_a_moment_of_sixteen_snippets_scores_by_its_mean_logit_alone() -> None:
    *_, score = next(rank_moments(plateau(40, slice(10, 26), 3.0), GRID, GRID.stop(39)))
    evidence = np.log1p(np.exp(3.0))
    assert score == pytest.approx(evidence / (1 + evidence), abs=0.02)


def test_of_two_bumps_both_are_found_and_the_higher_first() -> None:
    curve = plateau(40, slice(5, 10), 1.0)
    curve[25:30] = 3.0
    found = list(rank_moments(curve, GRID, GRID.stop(39)))
    assert found[0][0] == pytest.approx(GRID.start(25), abs=GRID.stride_s / 2)
    apart = next(m for m in found if m[1] <= found[0][0])
    assert apart[0] == pytest.approx(GRID.start(5), abs=GRID.stride_s / 2)
    assert apart[2] > 0.1


def test_beyond_the_material_there_is_no_moment() -> None:
    """A tenth of the last snippet was decoded, and only that stands out."""
    end = GRID.start(9) + 0.1 * GRID.snippet_s
    assert all(stop - start > 0 for start, stop, _ in rank_moments(plateau(10, slice(9, 10)), GRID, end))
