"""Make the VideoInfo rows of precomputed features: the number of snippets that all streams of a video have."""

from collections.abc import Sequence
from dataclasses import replace

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.precomputed_features import PrecomputedFeatures


def probe_precomputed(source: PrecomputedFeatures, streams: Sequence[str], grid: SnippetGrid) -> list[VideoInfo]:
    """Return one row for each video, by id; status and reason report streams of different lengths."""
    return [_probe_video(source, video_id, streams, grid) for video_id in sorted(source.video_paths)]


def _probe_video(source: PrecomputedFeatures, video_id: str, streams: Sequence[str], grid: SnippetGrid) -> VideoInfo:
    info = VideoInfo(video_id, source_folder.escape_undecodable(source.video_paths[video_id]))
    try:
        return _with_length(info, {stream: source.count_rows(stream, video_id) for stream in streams}, grid)
    except Unreadable as failure:
        return replace(info, status="failed", reason=f"{failure.kind}: {failure}")


def _with_length(info: VideoInfo, rows_by_stream: dict[str, int], grid: SnippetGrid) -> VideoInfo:
    """Return the row with the length of the shortest stream.

    Flow is often one snippet shorter than RGB. Streams that differ by more are of different videos: Unreadable.
    """
    snippets, longest = min(rows_by_stream.values()), max(rows_by_stream.values())
    lengths = ", ".join(f"{stream} {rows}" for stream, rows in rows_by_stream.items())
    if longest - snippets > 1:
        raise Unreadable("length", f"{lengths} snippets; not one grid")
    reason = f"length: {lengths} snippets; cut to {snippets}" if longest > snippets else ""
    frames = grid.count_frames_spanned(snippets)
    duration = grid.stop(snippets - 1)
    return replace(info, duration=duration, fps=grid.fps, frames=frames, snippets=snippets, reason=reason)
