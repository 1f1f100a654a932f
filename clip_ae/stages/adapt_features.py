"""Apply a feature adapter g to one stream's shard: rows x become [x, g(x)]."""

from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import AdaptFeaturesSpec
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import read_shard, write_shard
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.pipeline.adapted_features import adapt_videos, restore_joint_space
from clip_ae.weights.network_file import read_weights


def run(
    spec: AdaptFeaturesSpec,
    *,
    features: Annotated[Path, "the stream's feature shard (parquet)"],
    adapter: Annotated[Path, "model.safetensors of train_adapter"],
    out: Annotated[Path, "feature shard to write (parquet)"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    weights, torch_device = read_weights(adapter), resolve_device(device)
    inputs = {"features": read_parquet_provenance(features).id, "adapter": weights.provenance.id}
    provenance = make_provenance("adapt_features", spec, inputs, ("numpy", "torch"))
    joint = restore_joint_space(weights, torch_device)
    dim = joint.init_args["dims"][spec.stream] + joint.init_args["width"]
    videos = adapt_videos(joint, spec.stream, track(read_shard(features), spec.stream, unit="videos"), torch_device)
    write_shard(out, spec.stream, dim, videos, provenance)
