"""tIoU: its definition, symmetry, range and edge cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.tiou import tiou

# Segments on a grid of eighths of a second: all sums are exact.
TIMES = st.integers(-800, 800).map(lambda eighths: eighths / 8)
SEGMENTS = st.tuples(TIMES, TIMES).map(sorted)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0.0, 4.0), (2.0, 6.0), 2 / 6),
        ((0.0, 10.0), (2.0, 4.0), 2 / 10),
        ((0.0, 0.5), (0.25, 0.75), 0.25 / 0.75),
        ((-3.0, -1.0), (-2.0, 1.0), 1 / 4),
    ],
    ids=["partial overlap", "one inside the other", "shorter than a second", "negative times"],
)
def test_tiou_is_intersection_over_union(
    first: tuple[float, float], second: tuple[float, float], expected: float
) -> None:
    assert tiou(*first, *second) == pytest.approx(expected)


def test_a_segment_has_tiou_1_with_itself() -> None:
    assert tiou(1.5, 2.25, 1.5, 2.25) == 1.0


@pytest.mark.parametrize("second", [(2.0, 3.0), (1.0, 3.0), (-2.0, -1.0)], ids=["disjoint", "touching", "before"])
def test_segments_without_common_time_have_tiou_0(second: tuple[float, float]) -> None:
    assert tiou(0.0, 1.0, *second) == 0.0


@pytest.mark.parametrize("second", [(1.0, 1.0), (2.0, 2.0), (0.0, 4.0), (5.0, 6.0)])
def test_a_segment_of_length_0_has_tiou_0_with_any_segment(second: tuple[float, float]) -> None:
    assert tiou(1.0, 1.0, *second) == 0.0
    assert tiou(*second, 1.0, 1.0) == 0.0


def test_arrays_broadcast() -> None:
    starts, stops = np.array([0.0, 2.0, 9.0]), np.array([4.0, 6.0, 9.5])
    np.testing.assert_allclose(tiou(0.0, 4.0, starts, stops), [1.0, 2 / 6, 0.0])
    matrix = tiou(starts[:, None], stops[:, None], starts, stops)
    assert matrix.shape == (3, 3)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1.0)
    assert tiou(0.0, 1.0, [], []).shape == (0,)


@given(SEGMENTS, SEGMENTS, st.integers(1, 8), TIMES)
def test_tiou_is_symmetric_in_0_to_1_and_independent_of_scale_and_shift(
    first: list[float], second: list[float], scale: int, shift: float
) -> None:
    value = tiou(*first, *second)
    assert 0.0 <= value <= 1.0
    assert value == tiou(*second, *first)
    assert (value == 1.0) == (first == second and first[0] < first[1])
    moved = [scale * time + shift for time in (*first, *second)]
    assert tiou(*moved) == pytest.approx(value)


@given(SEGMENTS, SEGMENTS)
def test_tiou_equals_the_share_of_common_points(first: list[float], second: list[float]) -> None:
    """The definition on sets of grid cells, each an eighth of a second."""
    cells = [set(range(round(8 * start), round(8 * stop))) for start, stop in (first, second)]
    union = cells[0] | cells[1]
    expected = len(cells[0] & cells[1]) / len(union) if union else 0.0
    assert tiou(*first, *second) == pytest.approx(expected)
