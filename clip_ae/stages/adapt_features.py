"""Put what was learnt beside one stream's features of a shard: rows x become rows [x, g(x)]."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from clip_ae.core.config.specs import AdaptSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_record
from clip_ae.core.types import Network, VideoFeatures
from clip_ae.data.parquet import read_parquet_record
from clip_ae.data.shards import read_shard, write_shard
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.language.adapter import Joint, restore
from clip_ae.weights.network_file import read_weights


def run(
    spec: AdaptSpec,
    *,
    features: Annotated[Path, "the stream's shard (parquet)"],
    model: Annotated[Path, "model.safetensors of train_adapter"],
    out: Annotated[Path, "feature shard to write (parquet)"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    set_threads(spec.math_threads)
    file, place = read_weights(model), resolve(device)
    record = make_record(
        "adapt_features",
        spec,
        {"features": read_parquet_record(features).id, "model": file.record.id},
        ("numpy", "torch"),
    )
    joint = joint_of(file, place)
    dim = joint.about["dims"][spec.stream] + joint.about["width"]
    videos = adapted(joint, spec.stream, track(read_shard(features), spec.stream, unit="videos"), place)
    write_shard(out, spec.stream, dim, videos, record)


def joint_of(file: Network, device: str) -> Joint:
    if "joint" not in file.about:
        raise UserError("--model: not a network of train_adapter")
    return restore(file.tensors, file.about, device)


def adapted(joint: Joint, stream: str, videos: Iterable[VideoFeatures], device: str) -> Iterator[VideoFeatures]:
    """Where nothing was seen there is nothing to learn from: coverage 0 keeps zeros."""
    for video in videos:
        x = torch.from_numpy(video.feature.astype(np.float32)).to(device)
        if x.shape[1] != joint.about["dims"][stream]:
            raise RefusedInput(
                f"video '{video.video_id}': {stream} features of {x.shape[1]} numbers; "
                f"the network learnt from {joint.about['dims'][stream]}"
            )
        with torch.inference_mode():
            g = joint.adapters[stream](x[None])[0].cpu().numpy()
        g[video.coverage <= 0] = 0
        yield replace(video, feature=np.concatenate([video.feature, g.astype(np.float16)], axis=1))
