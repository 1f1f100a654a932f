"""The rows of a snippet index: CLIP features, or the mean of both streams' adapter outputs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from clip_ae.core.types import FeaturesByStream, VideoFeatures
from clip_ae.data.shards import read_shard, shard_paths
from clip_ae.language.spans import normalize_rows

CLIP_STREAM = "clip"


def read_adapter_outputs(adapted_features: Path, stream: str, shards: int, width: int) -> dict[str, VideoFeatures]:
    """A stream's videos by id; of many, what was extracted would take four times the memory."""
    videos = (video for path in shard_paths(adapted_features, stream, shards) for video in read_shard(path))
    return {video.video_id: normalize_adapter_output(video, width) for video in videos}


def normalize_adapter_output(video: VideoFeatures, width: int) -> VideoFeatures:
    """Of adapted rows [x, g] the place of g in the joint space, of length 1; where nothing was seen it is 0."""
    g = normalize_rows(video.feature[:, -width:].astype(np.float32))
    return replace(video, feature=g.astype(np.float16))


def average_streams(streams: FeaturesByStream) -> Iterator[VideoFeatures]:
    """Of the videos that all streams have, by id: the mean of the streams' points."""
    first, *others = streams.values()
    for video_id in sorted(first.keys() & set[str].intersection(*map(set, others))):
        points = np.stack([videos[video_id].feature for videos in streams.values()])
        yield replace(first[video_id], feature=points.mean(axis=0, dtype=np.float32).astype(np.float16))
