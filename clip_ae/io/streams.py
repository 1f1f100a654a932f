"""The features that clustering and localizers read: some streams of the same videos, checked."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import say
from clip_ae.core.types import Streams, VideoFeatures
from clip_ae.io.shards import read_stream


def read_streams(features: Path, names: Collection[str], shards: int, ids: Collection[str] | None = None) -> Streams:
    """The videos that all streams have, by sorted id; only `ids` when given."""
    found = {name: read_stream(features, name, shards, ids) for name in names}
    shared = sorted(set.intersection(*(set(videos) for videos in found.values())))
    if not shared:
        wanted = "no video" if ids is None else f"none of the {len(ids)} wanted videos"
        raise UserError(f"{features}: {wanted} in the {', '.join(names)} shards")
    for name, videos in found.items():
        if len(videos) > len(shared):
            say(f"{len(videos) - len(shared)} videos of the {name} stream are left out: another stream lacks them")
    for video_id in shared:
        _check(features, {name: videos[video_id] for name, videos in found.items()})
    return {name: {i: videos[i] for i in shared} for name, videos in found.items()}


def _check(features: Path, streams: dict[str, VideoFeatures]) -> None:
    """Refuse what would turn into nan or misplaced snippets later."""
    rows = {name: len(video.feature) for name, video in streams.items()}
    for name, video in streams.items():
        where = f"{features / name}: video '{video.video_id}'"
        if len(set(rows.values())) > 1:
            raise RefusedInput(f"{where}: streams differ in snippets ({rows}); extract them on the same grid")
        broken = np.flatnonzero(~np.isfinite(video.feature).all(axis=1))
        if len(broken):
            raise RefusedInput(f"{where}: snippet {broken[0]} is not finite; extract this stream again")
