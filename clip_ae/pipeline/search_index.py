"""Rows of a snippet index: CLIP features, or the mean of the adapter outputs of the cbp streams."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from clip_ae.core.types import FeaturesByStream, VideoFeatures
from clip_ae.data.shards import read_shard, shard_paths
from clip_ae.language.spans import normalize_rows


def read_adapter_outputs(adapted_features: Path, stream: str, shards: int, width: int) -> dict[str, VideoFeatures]:
    """A stream's adapter outputs, by video id. The extracted features would need four times the memory."""
    videos = (video for path in shard_paths(adapted_features, stream, shards) for video in read_shard(path))
    return {video.video_id: normalize_adapter_output(video, width) for video in videos}


def normalize_adapter_output(video: VideoFeatures, width: int) -> VideoFeatures:
    """The adapter output g of rows [x, g], scaled to length 1; it is 0 for snippets that were not decoded."""
    g = normalize_rows(video.feature[:, -width:].astype(np.float32))
    return replace(video, feature=g.astype(np.float16))


def average_streams(streams: FeaturesByStream) -> Iterator[VideoFeatures]:
    """Yield the mean over streams for every video that all streams have, in order of the ids."""
    first = next(iter(streams.values()))
    for video_id in sorted(set[str].intersection(*map(set, streams.values()))):
        rows = np.stack([videos[video_id].feature for videos in streams.values()])
        yield replace(first[video_id], feature=rows.mean(axis=0, dtype=np.float32).astype(np.float16))
