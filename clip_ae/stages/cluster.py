"""Cluster the training videos: their pseudo-labels for one round."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from clip_ae.clustering.labels import by_first_appearance
from clip_ae.clustering.pooling import SnippetWeights, pool
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import make_record
from clip_ae.core.specs import ClusterSpec
from clip_ae.core.tables import CLUSTERINGS, DESCRIPTORS, load
from clip_ae.core.types import Streams
from clip_ae.io.annotations import ids_in
from clip_ae.io.labels import write_labels
from clip_ae.io.shards import stream_id
from clip_ae.io.streams import read_streams
from clip_ae.io.weights import read_weights, read_weights_record

LIBRARIES = ("numpy", "scikit-learn", "scipy")


def run(
    spec: ClusterSpec,
    *,
    features: Annotated[Path, "folder of feature shards, {stream}/{shard}.parquet"],
    shards: Annotated[int, "number of shards"],
    out: Annotated[Path, "labels.parquet to write: video_id, cluster"],
    annotations: Annotated[Path | None, "annotation file, read for subsets only; without it all videos train"] = None,
    model: Annotated[Path | None, "the previous round's model, for the `attention` descriptor"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    ids = ids_in(annotations, spec.train_subset) if annotations else None
    streams = _with_material(read_streams(features, spec.streams, shards, ids))
    videos = list(streams[spec.streams[0]])
    if len(videos) < spec.classes:
        raise UserError(
            f"{features}: {len(videos)} training videos cannot form {spec.classes} clusters; lower `classes`"
        )
    z = pool(streams, _weights(spec, streams, model, device))
    clusters = by_first_appearance(load(CLUSTERINGS[spec.clustering]).cluster(z, spec.classes, spec.seed))
    inputs = {f"features/{name}": stream_id(features, name, shards) for name in spec.streams}
    if model:
        inputs["model"] = read_weights_record(model).id
    libraries = (*LIBRARIES, "torch") if model else LIBRARIES
    record = make_record("cluster", spec, inputs, libraries)
    write_labels(out, dict(zip(videos, clusters.tolist(), strict=True)), record)


def _with_material(streams: Streams) -> Streams:
    """Without the videos of which nothing could be read: alike in being empty, they would form a cluster."""
    some = {i for videos in streams.values() for i, video in videos.items() if (video.coverage > 0).any()}
    return {name: {i: v for i, v in videos.items() if i in some} for name, videos in streams.items()}


def _weights(spec: ClusterSpec, streams: Streams, model: Path | None, device: str) -> SnippetWeights:
    weights: Callable[..., SnippetWeights] = load(DESCRIPTORS[spec.descriptor]).weights
    if (spec.descriptor == "attention") != (model is not None):
        raise UserError(f"--model: the `{spec.descriptor}` descriptor {'takes no' if model else 'needs a'} model")
    if model is None:
        return weights(streams)
    # Round 0 needs no torch and should not wait for it.
    from clip_ae.encoders.devices import resolve, set_threads

    set_threads(spec.math_threads)
    file = read_weights(model)
    return weights(streams, file.tensors, file.about, resolve(device))
