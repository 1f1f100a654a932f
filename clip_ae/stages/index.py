"""Lay every snippet of a dataset in one file that sentences are searched in: CLIP's image space, or a joint space."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np

from clip_ae.core.config.specs import IndexSpec
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import FeaturesByStream, VideoFeatures
from clip_ae.data.shards import read_shard, read_stream, read_stream_input_id, shard_paths
from clip_ae.data.snippet_index import build_index, write_index
from clip_ae.language.spans import normalize_rows
from clip_ae.weights.network_file import read_weights_metadata, read_weights_provenance

CLIP_STREAM = "clip"


def run(
    spec: IndexSpec,
    *,
    features: Annotated[Path, "folder of feature shards: the CLIP that reads sentences is that of its clip shards"],
    shards: Annotated[int, "number of shards"],
    out: Annotated[Path, "index (Arrow) to write"],
    adapted_features: Annotated[Path | None, "folder of adapted shards, where a joint space is searched"] = None,
    adapter: Annotated[Path | None, "model.safetensors that adapted them"] = None,
) -> None:
    inputs = {f"features/{CLIP_STREAM}": read_stream_input_id(features, CLIP_STREAM, shards)}
    if adapted_features and adapter:
        width = read_weights_metadata(adapter)["joint"]["width"]
        videos = average_streams({name: _points(adapted_features, name, shards, width) for name in spec.streams})
        inputs |= {f"features/{name}": read_stream_input_id(adapted_features, name, shards) for name in spec.streams}
        inputs["adapter"] = read_weights_provenance(adapter).id
    elif spec.streams == (CLIP_STREAM,):
        videos = iter(read_stream(features, CLIP_STREAM, shards).values())
    else:
        raise UserError("--adapted-features, --adapter: missing; a joint space is searched in adapted features")
    write_index(out, build_index(videos, make_provenance("index", spec, inputs, ("numpy", "pyarrow"))))


def _points(adapted_features: Path, stream: str, shards: int, width: int) -> dict[str, VideoFeatures]:
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
