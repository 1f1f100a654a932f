"""The line about lengths: how many videos, by how much, and the grid that would fit."""

import pytest

from clip_ae.core.timeline import SnippetGrid
from clip_ae.pipeline.length_check import ComparedLength, compare_lengths, describe_differences

DURATIONS = [40.0 + 7.3 * k for k in range(20)]


def features_on(made: SnippetGrid, stated: SnippetGrid) -> list[ComparedLength]:
    """Videos whose features are made on one grid, with lengths by another."""
    counts = [made.count_snippets(duration) for duration in DURATIONS]
    return [
        ComparedLength(f"v{k:02d}", stated.stop(count - 1), duration, count, is_by_grid=True)
        for k, (count, duration) in enumerate(zip(counts, DURATIONS, strict=True))
    ]


@pytest.mark.parametrize(
    "grid", [SnippetGrid(30, 16, 4), SnippetGrid(25, 24, 8), SnippetGrid(1, 1, 1), SnippetGrid(15)]
)
def test_the_grid_that_fits_is_named(grid: SnippetGrid) -> None:
    line = describe_differences(features_on(grid, SnippetGrid()))
    assert line.startswith("20 of 20 videos are not as long as annotated: median difference ")
    assert f"; 20 of 20 fit the grid fps {grid.fps:g}, stride {grid.stride}, frames about " in line
    assert line.endswith(": set `grid` to it, or --fps --frames --stride")


def test_nothing_is_said_if_all_fit() -> None:
    assert describe_differences(features_on(SnippetGrid(), SnippetGrid())) == ""
    assert describe_differences([]) == ""


def test_some_other_videos_are_counted_and_the_worst_is_named() -> None:
    videos = features_on(SnippetGrid(), SnippetGrid())
    videos[3] = ComparedLength("v03", 25.0, 90.0, 39, is_by_grid=True)
    videos[4] = ComparedLength("v04", 50.0, 60.0, 78, is_by_grid=True)
    assert describe_differences(videos) == (
        "2 of 20 videos are not as long as annotated: median difference 37.5 s, "
        "worst v03 with 25.0 s in place of 90.0 s"
    )


def test_no_grid_is_named_if_none_fits_most() -> None:
    assert "fit the grid" not in describe_differences(features_on(SnippetGrid(7, 16, 5), SnippetGrid()))
    # Half of the videos on one grid, half on another.
    halves = zip(
        features_on(SnippetGrid(30, 16, 4), SnippetGrid(7)),
        features_on(SnippetGrid(1, 1, 1), SnippetGrid(7)),
        strict=True,
    )
    mixed = [pair[k % 2] for k, pair in enumerate(halves)]
    assert "fit the grid" not in describe_differences(mixed)


def test_no_grid_is_named_for_videos() -> None:
    """Their length is that of the file, whatever the grid."""
    rows = {
        f"v{k}": {"status": "ok", "duration": 10.0, "snippets": 75, "width": 320} for k in range(3)
    }  # fmt: skip
    videos = compare_lengths(rows, dict.fromkeys(rows, 12.7 * 4))
    assert "3 of 3 videos" in describe_differences(videos)
    assert "fit the grid" not in describe_differences(videos)


def test_failed_and_unannotated_videos_are_not_compared() -> None:
    row = {"status": "ok", "duration": 10.0, "snippets": 15, "width": 0}
    rows = {"a": row, "b": row | {"status": "failed"}, "c": row}
    assert [video.video_id for video in compare_lengths(rows, {"a": 10.0, "b": 10.0})] == ["a"]
