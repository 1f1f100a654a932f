"""Seconds of snippets, and the number of snippets, for any grid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.timeline import SnippetGrid

grids = st.builds(
    SnippetGrid,
    fps=st.sampled_from([10.0, 23.976, 25.0, 29.97, 60.0]),
    frames=st.integers(1, 64),
    stride=st.integers(1, 64),
)


@given(grids, st.integers(0, 10_000))
def test_a_snippet_is_as_long_as_its_frames(grid: SnippetGrid, k: int) -> None:
    assert grid.stop(k) - grid.start(k) == pytest.approx(grid.frames / grid.fps)
    assert grid.start(k + 1) - grid.start(k) == pytest.approx(grid.stride / grid.fps)
    assert grid.start(k) <= grid.centre(k) <= grid.stop(k)


@given(grids, st.integers(1, 3000))
def test_half_of_the_last_snippet_exists(grid: SnippetGrid, frames: int) -> None:
    count = grid.count_snippets(frames / grid.fps)
    last_start = (count - 1) * grid.stride
    assert count == 1 or frames - last_start >= grid.frames / 2
    assert frames - (last_start + grid.stride) < grid.frames / 2


@given(grids, st.floats(0.01, 1000), st.floats(0.01, 1000))
def test_more_seconds_never_mean_fewer_snippets(grid: SnippetGrid, a: float, b: float) -> None:
    assert grid.count_snippets(min(a, b)) <= grid.count_snippets(max(a, b))


@pytest.mark.parametrize(
    ("duration", "snippets"),
    [(0.0, 1), (0.04, 1), (0.64, 1), (0.9, 1), (0.96, 2), (20.0, 31), (20.16, 32), (0.64 * 7, 7)],
)
def test_published_grid(duration: float, snippets: int) -> None:
    assert SnippetGrid().count_snippets(duration) == snippets


@given(st.integers(1, 10_000), st.sampled_from([25.0, 23.976, 30.0]))
def test_frames_of_a_whole_number_of_frames(frames: int, fps: float) -> None:
    assert SnippetGrid(fps=fps).count_frames(frames / fps) == frames
