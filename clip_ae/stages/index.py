"""Lay every snippet of a dataset in one file that sentences are searched in: CLIP's image space, or a joint space."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import UserError
from clip_ae.core.provenance import make_record
from clip_ae.core.specs import IndexSpec
from clip_ae.core.types import VideoFeatures
from clip_ae.io.index import index_of, write_index
from clip_ae.io.shards import read_stream, stream_id
from clip_ae.io.weights import read_weights_about, read_weights_record

IMAGES = "clip"
Floats = NDArray[np.float32]


def run(
    spec: IndexSpec,
    *,
    features: Annotated[Path, "folder of feature shards: the CLIP that reads sentences is that of its clip shards"],
    shards: Annotated[int, "number of shards"],
    out: Annotated[Path, "index (Arrow) to write"],
    adapted: Annotated[Path | None, "folder of adapted shards, where a joint space is searched"] = None,
    model: Annotated[Path | None, "model.safetensors that adapted them"] = None,
) -> None:
    inputs = {f"features/{IMAGES}": stream_id(features, IMAGES, shards)}
    if adapted and model:
        width = read_weights_about(model)["joint"]["width"]
        streams = {name: read_stream(adapted, name, shards) for name in spec.streams}
        videos = joint_rows(streams, width)
        inputs |= {f"features/{name}": stream_id(adapted, name, shards) for name in spec.streams}
        inputs["model"] = read_weights_record(model).id
    elif spec.streams == (IMAGES,):
        videos = iter(read_stream(features, IMAGES, shards).values())
    else:
        raise UserError("--adapted, --model: missing; a joint space is searched in adapted features")
    write_index(out, index_of(videos, make_record("index", spec, inputs, ("numpy", "pyarrow"))))


def joint_rows(streams: Mapping[str, Mapping[str, VideoFeatures]], width: int) -> Iterator[VideoFeatures]:
    """Of the videos that all streams have: the mean of the streams' points in the joint space, of length 1 each."""
    first, *others = streams.values()
    for video_id, video in first.items():
        if all(video_id in videos for videos in others):
            points = [_unit(videos[video_id].feature[:, -width:].astype(np.float32)) for videos in streams.values()]
            yield replace(video, feature=np.mean(points, axis=0).astype(np.float16))


def _unit(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1.0)).astype(np.float32)
