"""The features that clustering and localizers read: some streams of the same videos, checked."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from clip_ae.core.config.methods import I3D_STREAMS
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import log_line
from clip_ae.core.sharding import assign_shard, format_shard_name
from clip_ae.core.types import FeaturesByStream, VideoFeatures
from clip_ae.data.shards import FeatureDirs, find_stream_dir, read_stream


def read_streams(
    feature_dirs: FeatureDirs, stream_names: Collection[str], num_shards: int, ids: Collection[str] | None = None
) -> FeaturesByStream:
    """The videos that both I3D streams have, by sorted id; only `ids` when given.

    Where the CLIP or audio stream lacks a video, it has rows there that nothing covers.
    """
    found = {name: read_stream(feature_dirs, name, num_shards, ids) for name in stream_names}
    main = [videos for name, videos in found.items() if name in I3D_STREAMS]
    shared = sorted(set.intersection(*(set(videos) for videos in main)))
    if not shared:
        wanted = "no video" if ids is None else f"none of the {len(ids)} wanted videos"
        raise UserError(
            f"{find_stream_dir(I3D_STREAMS[0], feature_dirs).parent}: {wanted} in the {', '.join(stream_names)} shards"
        )
    for name, videos in found.items():
        if name in I3D_STREAMS and len(videos) > len(shared):
            log_line(f"{len(videos) - len(shared)} videos of the {name} stream are left out: another stream lacks them")
        if name not in I3D_STREAMS:
            _fill(find_stream_dir(name, feature_dirs), videos, [main[0][i] for i in shared])
    for video_id in shared:
        _check(feature_dirs, num_shards, {name: videos[video_id] for name, videos in found.items()})
    return {name: {i: videos[i] for i in shared} for name, videos in found.items()}


def _fill(folder: Path, videos: dict[str, VideoFeatures], like: list[VideoFeatures]) -> None:
    """Rows of zeros, covered by nothing, for the videos that a stream lacks."""
    lacking = [video for video in like if video.video_id not in videos]
    if not videos and lacking:
        raise UserError(f"{folder}: has none of the {len(like)} videos; extract the {folder.name} stream first")
    if lacking:
        log_line(
            f"{folder}: lacks {len(lacking)} videos, as '{lacking[0].video_id}'; they count as without {folder.name}"
        )
    dim = next(iter(videos.values())).feature.shape[1]
    for video in lacking:
        rows = len(video.feature)
        nothing = np.zeros(rows, np.float32), np.zeros((rows, dim), np.float16)
        videos[video.video_id] = VideoFeatures(video.video_id, video.start, video.stop, *nothing)


def _check(features: FeatureDirs, shards: int, streams: dict[str, VideoFeatures]) -> None:
    """Refuse what would turn into nan or misplaced snippets later."""
    rows = {name: len(video.feature) for name, video in streams.items()}
    for name, video in streams.items():
        shard = format_shard_name(assign_shard(video.video_id, shards), shards)
        where = f"{find_stream_dir(name, features) / shard}.parquet: video '{video.video_id}'"
        if len(set(rows.values())) > 1:
            raise RefusedInput(f"{where}: streams differ in snippets ({rows}); extract them on the same grid")
        broken = np.flatnonzero(~np.isfinite(video.feature).all(axis=1))
        if len(broken):
            raise RefusedInput(f"{where}: snippet {broken[0]} is not finite; extract this stream again")
