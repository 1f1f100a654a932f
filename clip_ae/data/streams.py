"""Read several streams of the same videos, and check them, for clustering and localizers."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import log_warning
from clip_ae.core.sharding import assign_shard, format_shard_name
from clip_ae.core.types import FeaturesByStream, VideoFeatures
from clip_ae.data.parquet import release_unused_memory
from clip_ae.data.shards import FeatureDirs, find_stream_dir, read_stream


def read_streams(
    feature_dirs: FeatureDirs, roles: StreamRoles, num_shards: int, ids: Collection[str] | None = None
) -> FeaturesByStream:
    """Return, by stream, the videos that all cbp streams have, by sorted id; only `ids` if given.

    A video that the vlp or audio stream lacks gets rows of zeros with coverage 0 there.
    """
    streams = {name: read_stream(feature_dirs, name, num_shards, ids) for name in roles.names}
    release_unused_memory()
    shared_ids = sorted(set.intersection(*(set(streams[name]) for name in roles.cbp)))
    if not shared_ids:
        missing = "no video" if ids is None else f"none of the {len(ids)} requested videos"
        parent_dir = find_stream_dir(roles.cbp[0], feature_dirs).parent
        raise UserError(f"{parent_dir}: {missing} in the {', '.join(roles.names)} shards")
    for name, videos in streams.items():
        num_extra = len(videos) - len(shared_ids)
        if name in roles.cbp and num_extra > 0:
            log_warning(f"{num_extra} videos of the {name} stream are left out: another stream lacks them")
        if name not in roles.cbp:
            templates = [streams[roles.cbp[0]][i] for i in shared_ids]
            _add_missing_videos(find_stream_dir(name, feature_dirs), videos, templates)
    for video_id in shared_ids:
        _check_video(feature_dirs, num_shards, {name: videos[video_id] for name, videos in streams.items()})
    return {name: {i: videos[i] for i in shared_ids} for name, videos in streams.items()}


def _add_missing_videos(stream_dir: Path, videos: dict[str, VideoFeatures], templates: list[VideoFeatures]) -> None:
    """Add zeros with coverage 0 for the videos that a stream lacks, with the times of `templates`."""
    missing = [video for video in templates if video.video_id not in videos]
    stream = stream_dir.name
    if not videos and missing:
        raise UserError(f"{stream_dir}: has none of the {len(templates)} videos; extract the {stream} stream first")
    if missing:
        log_warning(
            f"{stream_dir}: lacks {len(missing)} videos, as '{missing[0].video_id}'; they count as without {stream}"
        )
    dim = next(iter(videos.values())).feature.shape[1]
    for video in missing:
        rows = len(video.feature)
        coverage, feature = np.zeros(rows, np.float32), np.zeros((rows, dim), np.float16)
        videos[video.video_id] = VideoFeatures(video.video_id, video.start, video.stop, coverage, feature)


def _check_video(feature_dirs: FeatureDirs, num_shards: int, streams: dict[str, VideoFeatures]) -> None:
    """Refuse streams of different lengths, and features that are not finite."""
    rows = {name: len(video.feature) for name, video in streams.items()}
    for name, video in streams.items():
        shard = format_shard_name(assign_shard(video.video_id, num_shards), num_shards)
        where = f"{find_stream_dir(name, feature_dirs) / shard}.parquet: video '{video.video_id}'"
        if len(set(rows.values())) > 1:
            raise RefusedInput(f"{where}: streams differ in snippets ({rows}); extract them on the same grid")
        non_finite = np.flatnonzero(~np.isfinite(video.feature).all(axis=1))
        if len(non_finite):
            raise RefusedInput(f"{where}: snippet {non_finite[0]} is not finite; extract this stream again")
