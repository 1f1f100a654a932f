"""Put what was learnt beside one stream's features of a shard: rows x become rows [x, g(x)]."""

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
