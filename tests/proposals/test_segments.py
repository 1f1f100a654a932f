import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clip_ae.core.timeline import SnippetGrid
from clip_ae.proposals.segments import find_ranges_above, ranges_to_seconds, upsample

CURVES = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1))


@given(CURVES, st.integers(1, 24))
def test_upsampling_preserves_the_range_and_the_values_at_centres(curve, factor):
    points = upsample(curve, factor)
    assert len(points) == factor * len(curve)
    assert curve.min() <= points.min()
    assert points.max() <= curve.max()
    if factor % 2:
        np.testing.assert_allclose(points[factor // 2 :: factor], curve)


def test_upsampling_is_linear_between_centres():
    np.testing.assert_allclose(upsample(np.array([0.0, 1.0]), 2), [0, 0.25, 0.75, 1])


@given(CURVES, st.lists(st.floats(0, 1), max_size=4))
def test_ranges_are_maximal_and_reach_their_level(curve, levels):
    ranges = find_ranges_above(curve, levels)
    if max(levels, default=0) == 0 or curve.max() < min(levels):
        assert ranges.shape == (0, 2)
    for first, end in ranges:
        reached = [level for level in levels if 0 < level <= curve[first:end].min()]
        neighbour = max([*curve[max(first - 1, 0) : first], *curve[end : end + 1]], default=-1)
        assert any(neighbour < level for level in reached)
    assert len(np.unique(ranges, axis=0)) == len(ranges)


@pytest.mark.parametrize("factor", [1, 2, 24])
def test_a_range_of_snippets_covers_their_seconds(factor):
    grid = SnippetGrid()
    segments = ranges_to_seconds(np.array([[2 * factor, 5 * factor], [0, 7 * factor]]), factor, grid.stop(6), grid)
    np.testing.assert_allclose(segments, [[grid.start(2), grid.stop(4)], [0, grid.stop(6)]])


def test_overlapping_snippets_cover_the_stride_around_their_centres():
    grid = SnippetGrid(fps=10, frames=20, stride=10)
    segments = ranges_to_seconds(np.array([[1, 2], [0, 4]]), 1, grid.stop(3), grid)
    np.testing.assert_allclose(segments, [[1.5, 2.5], [0.5, 4.5]])
