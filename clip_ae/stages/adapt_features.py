"""Put what was learnt beside one stream's features of a shard: rows x become rows [x, g(x)]."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from clip_ae.core.config.specs import AdaptFeaturesSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import NetworkWeights, VideoFeatures
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import read_shard, write_shard
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.language.adapter import JointEmbedding, restore_joint_embedding
from clip_ae.weights.network_file import read_weights


def run(
    spec: AdaptFeaturesSpec,
    *,
    features: Annotated[Path, "the stream's shard (parquet)"],
    adapter: Annotated[Path, "model.safetensors of train_adapter"],
    out: Annotated[Path, "feature shard to write (parquet)"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    file, place = read_weights(adapter), resolve_device(device)
    record = make_provenance(
        "adapt_features",
        spec,
        {"features": read_parquet_provenance(features).id, "adapter": file.provenance.id},
        ("numpy", "torch"),
    )
    joint = restore_joint_space(file, place)
    dim = joint.init_args["dims"][spec.stream] + joint.init_args["width"]
    videos = adapt_videos(joint, spec.stream, track(read_shard(features), spec.stream, unit="videos"), place)
    write_shard(out, spec.stream, dim, videos, record)


def restore_joint_space(weights: NetworkWeights, device: str) -> JointEmbedding:
    if "joint" not in weights.metadata:
        raise UserError("--adapter: not a network of train_adapter")
    return restore_joint_embedding(weights.tensors, weights.metadata, device)


def adapt_videos(
    joint: JointEmbedding, stream: str, videos: Iterable[VideoFeatures], device: str
) -> Iterator[VideoFeatures]:
    """Where nothing was seen there is nothing to learn from: coverage 0 keeps zeros."""
    for video in videos:
        x = torch.from_numpy(video.feature.astype(np.float32)).to(device)
        if x.shape[1] != joint.init_args["dims"][stream]:
            raise RefusedInput(
                f"video '{video.video_id}': {stream} features of {x.shape[1]} numbers; "
                f"the network learnt from {joint.init_args['dims'][stream]}"
            )
        with torch.inference_mode():
            g = joint.adapters[stream](x[None])[0].cpu().numpy()
        g[video.coverage <= 0] = 0
        yield replace(video, feature=np.concatenate([video.feature, g.astype(np.float16)], axis=1))
