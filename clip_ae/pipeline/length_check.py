"""Compare the lengths of videos with their annotated durations, and find the grid that would explain a difference."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Failure
from clip_ae.data.layouts.conventions import COMMON_GRIDS

# Largest allowed difference of a video's length from the annotated one: seconds, plus a share of the annotated length.
MAX_LENGTH_DIFF_S, MAX_LENGTH_DIFF_SHARE = 2.0, 0.02
# Share of the videos that a grid must fit to be named in the log.
MIN_FITTING_SHARE = 0.9
Row = Mapping[str, Any]


@dataclass(frozen=True)
class ComparedLength:
    """One video with an annotated duration; seconds."""

    video_id: str
    length: float
    annotated: float
    snippets: int
    # Whether the length follows from the number of rows and the grid: precomputed features have no pictures.
    is_by_grid: bool

    @property
    def fits(self) -> bool:
        return is_same_length(self.length, self.annotated)


def is_same_length(length: float, annotated: float) -> bool:
    return abs(length - annotated) <= MAX_LENGTH_DIFF_S + MAX_LENGTH_DIFF_SHARE * annotated


def compare_lengths(rows: Mapping[str, Row], annotated_durations: Mapping[str, float]) -> list[ComparedLength]:
    """Return the readable videos whose duration is annotated."""
    return [
        ComparedLength(video_id, row["duration"], annotated_durations[video_id], row["snippets"], not row["width"])
        for video_id, row in rows.items()
        if row["status"] == "ok" and annotated_durations.get(video_id)
    ]


def make_length_failure(video: ComparedLength) -> Failure:
    """Return the failure row of a video of another length: another cut or another video, with segments elsewhere."""
    message = f"is {video.length:.1f} s long, the annotations say {video.annotated:.1f} s"
    return Failure(video.video_id, "catalog", "length", message)


def describe_differences(videos: Sequence[ComparedLength]) -> str:
    """Return a line for the log; empty if all lengths fit."""
    misfits = [video for video in videos if not video.fits]
    if not misfits:
        return ""
    worst = max(misfits, key=lambda video: abs(video.length - video.annotated))
    median = statistics.median(abs(video.length - video.annotated) for video in misfits)
    return (
        f"{len(misfits)} of {len(videos)} videos are not as long as annotated: median difference {median:.1f} s, "
        f"worst {worst.video_id} with {worst.length:.1f} s in place of {worst.annotated:.1f} s{_suggest_grid(videos)}"
    )


def _suggest_grid(videos: Sequence[ComparedLength]) -> str:
    """Return which common grid fits nearly all videos, if there is one that fits more than the present grid."""
    if not all(video.is_by_grid for video in videos):
        return ""
    grid = max(COMMON_GRIDS, key=lambda grid: (_count_fitting(grid, videos), -_median_difference(grid, videos)))
    num_fitting = _count_fitting(grid, videos)
    if num_fitting < MIN_FITTING_SHARE * len(videos) or num_fitting <= sum(video.fits for video in videos):
        return ""
    # Lengths depend on the number of frames by less than a second, so it cannot be found from them.
    name = f"fps {grid.fps:g}, stride {grid.stride}, frames about {grid.frames}"
    return f"; {num_fitting} of {len(videos)} fit the grid {name}: set `grid` to it, or --fps --frames --stride"


def _count_fitting(grid: SnippetGrid, videos: Sequence[ComparedLength]) -> int:
    return sum(is_same_length(grid.stop(video.snippets - 1), video.annotated) for video in videos)


def _median_difference(grid: SnippetGrid, videos: Sequence[ComparedLength]) -> float:
    return statistics.median(abs(grid.stop(video.snippets - 1) - video.annotated) for video in videos)
