"""Cluster the training videos, one round's pseudo-labels; or, for runs that are told, take their true labels."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from clip_ae.clustering.num_clusters import chosen, silhouettes
from clip_ae.clustering.pooling import pool
from clip_ae.clustering.relabel import by_first_appearance
from clip_ae.core.config.dataclass_config import canonical
from clip_ae.core.config.registry import CLUSTERINGS, DESCRIPTORS, load
from clip_ae.core.config.specs import ClusterSpec
from clip_ae.core.errors import UserError
from clip_ae.core.progress import say
from clip_ae.core.provenance import digest, make_record
from clip_ae.core.supervision import Told, told_of
from clip_ae.core.types import Label, Streams, cluster_label
from clip_ae.data.annotations import ids_in, read_annotations
from clip_ae.data.labels import write_labels
from clip_ae.data.shards import FOLDERS, Folders, stream_id
from clip_ae.data.streams import read_streams
from clip_ae.weights.network_file import read_weights, read_weights_about, read_weights_record

# Two numbers of clusters, of two videos each on average.
LEAST_TO_CHOOSE = 6
LIBRARIES = ("numpy", "scikit-learn", "scipy")


def run(
    spec: ClusterSpec,
    *,
    features: Annotated[tuple[Path, ...], FOLDERS],
    shards: Annotated[int, "number of shards"],
    out: Annotated[Path, "labels.parquet to write: video_id, cluster, label, segments"],
    annotations: Annotated[
        Path | None, "annotation file, read for subsets only unless the run is told; without it all videos train"
    ] = None,
    model: Annotated[Path | None, "the previous round's model, for the later rounds' descriptors"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    ids = ids_in(annotations, spec.train_subset) if annotations else None
    streams = _with_material(read_streams(features, _streams(spec, model), shards, ids), spec.streams)
    videos = list(streams[spec.streams[0]])
    inputs = {f"features/{name}": stream_id(features, name, shards) for name in streams}
    curve: dict[int, float] = {}
    if spec.supervision != "unsupervised":
        told = _told(spec, annotations)
        inputs["told"] = digest(canonical(told))
        labels = _labels(spec, annotations, {i: told[i] for i in videos if told[i]})
    else:
        _check_number(spec, features, len(videos))
        z = _descriptors(spec, streams, model, device)
        cluster = load(CLUSTERINGS[spec.clustering]).cluster
        if spec.classes == "auto" and not model:
            curve = silhouettes(z, cluster, spec.seed)
        clusters = by_first_appearance(cluster(z, _number(spec, curve, model), spec.seed))
        labels = [Label(i, k, cluster_label(k)) for i, k in zip(videos, clusters.tolist(), strict=True)]
    if model:
        inputs["model"] = read_weights_record(model).id
    libraries = (*LIBRARIES, "torch") if model else LIBRARIES
    write_labels(out, labels, make_record("cluster", spec, inputs, libraries), curve)


def _streams(spec: ClusterSpec, model: Path | None) -> tuple[str, ...]:
    """What the descriptors are made of, and beside it what the model that attends reads."""
    if (spec.descriptor == "mean") != (model is None):
        raise UserError(f"--model: the `{spec.descriptor}` descriptor {'takes no' if model else 'needs a'} model")
    return tuple(read_weights_about(model)["blueprint"]["dims"]) if model else spec.streams


def _with_material(streams: Streams, pooled: Collection[str]) -> Streams:
    """Without the videos of which nothing could be read: alike in being empty, they would form a cluster."""
    some = {i for name in pooled for i, video in streams[name].items() if (video.coverage > 0).any()}
    return {name: {i: v for i, v in videos.items() if i in some} for name, videos in streams.items()}


def _descriptors(spec: ClusterSpec, streams: Streams, model: Path | None, device: str) -> Any:
    described: Callable[..., Any] = load(DESCRIPTORS[spec.descriptor]).described
    if model is None:
        return pool(*described(streams))
    # Round 0 needs no torch and should not wait for it.
    from clip_ae.encoders.devices import resolve, set_threads

    set_threads(spec.math_threads)
    file = read_weights(model)
    return pool(*described(streams, file.tensors, file.about, resolve(device), fused=spec.descriptor == "fused"))


def _check_number(spec: ClusterSpec, features: Folders, videos: int) -> None:
    fewest = LEAST_TO_CHOOSE if spec.classes == "auto" else spec.classes
    if videos < fewest:
        words = "tell a number of clusters" if spec.classes == "auto" else f"form {spec.classes} clusters"
        raise UserError(f"{features}: {videos} training videos cannot {words}; lower `classes`")


def _number(spec: ClusterSpec, curve: Mapping[int, float], model: Path | None) -> int:
    """As many as were chosen in the first round, where the number was left open."""
    if spec.classes != "auto":
        return spec.classes
    if model:
        return len(read_weights_about(model)["blueprint"]["labels"])
    if not curve:
        raise UserError("the training videos are too much alike to tell a number of clusters; give `classes`")
    for number, value in curve.items():
        say(f"{number:3} clusters: silhouette {value:.3f}")
    say(f"cluster: {chosen(curve)} clusters, the best separated")
    return chosen(curve)


def _told(spec: ClusterSpec, path: Path | None) -> Told:
    if path is None:
        raise UserError(f"--annotations: missing; `{spec.supervision}` supervision needs them")
    return told_of(read_annotations(path), spec.train_subset, spec.supervision)


def _labels(spec: ClusterSpec, path: Path | None, known: Told) -> list[Label]:
    """Classes by name in place of clusters, for the videos that have any."""
    names = sorted({name for classes in known.values() for name in classes})
    if spec.classes not in ("auto", len(names)):
        raise UserError(
            f"{path}: the training videos show {len(names)} classes, not {spec.classes}; "
            "every class needs a training video: correct `classes` or the annotations"
        )
    return [Label(i, k, name, known[i][name]) for i in known for k, name in enumerate(names) if name in known[i]]
