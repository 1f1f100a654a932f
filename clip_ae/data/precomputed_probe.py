"""What ready features say of their videos: how many snippets all streams have."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.precomputed_features import PrecomputedFeatures


def probe_precomputed(source: PrecomputedFeatures, streams: Sequence[str], grid: SnippetGrid) -> Iterator[VideoInfo]:
    """One row a video; of streams that are cut differently the status or its reason tells."""
    for video_id in sorted(source.video_paths):
        info = VideoInfo(video_id, source_folder.escape_undecodable(source.video_paths[video_id]))
        try:
            yield _measured(info, {stream: _rows(source, stream, video_id) for stream in streams}, grid)
        except Unreadable as failure:
            yield replace(info, status="failed", reason=f"{failure.kind}: {failure}")


def _rows(source: PrecomputedFeatures, stream: str, video_id: str) -> int:
    rows, dim = source.shape(stream, video_id)
    if dim != source.dim(stream):
        raise Unreadable("shape", f"{stream} features of length {dim}, not {source.dim(stream)}")
    return rows


def _measured(info: VideoInfo, lengths: dict[str, int], grid: SnippetGrid) -> VideoInfo:
    """Flow is often one snippet short of RGB; streams further apart are of different videos."""
    snippets = min(lengths.values())
    words = ", ".join(f"{stream} {rows}" for stream, rows in lengths.items())
    if max(lengths.values()) - snippets > 1:
        raise Unreadable("length", f"{words} snippets; not one grid")
    cut = f"length: {words} snippets; cut to {snippets}" if max(lengths.values()) > snippets else ""
    frames = grid.count_frames_spanned(snippets)
    return replace(info, duration=grid.stop(snippets - 1), fps=grid.fps, frames=frames, snippets=snippets, reason=cut)
