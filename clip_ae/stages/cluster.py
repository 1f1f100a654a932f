"""Cluster the training videos, one round's pseudo-labels; or, for runs that are told, take their true labels."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from clip_ae.clustering.num_clusters import choose_num_clusters, compute_silhouettes
from clip_ae.clustering.pooling import pool_descriptors
from clip_ae.clustering.relabel import relabel_by_appearance
from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.config.registry import CLUSTERINGS, DESCRIPTORS, load_module
from clip_ae.core.config.specs import ClusterSpec
from clip_ae.core.errors import UserError
from clip_ae.core.progress import log_line
from clip_ae.core.provenance import digest, make_provenance
from clip_ae.core.supervision import SupervisionLabels, labels_for_supervision
from clip_ae.core.types import FeaturesByStream, Label, format_cluster_label
from clip_ae.data.annotations import read_annotations, read_subset_ids
from clip_ae.data.labels import write_labels
from clip_ae.data.shards import FEATURE_DIRS_HELP, FeatureDirs, read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.weights.network_file import read_weights, read_weights_metadata, read_weights_provenance

# Two numbers of clusters, of two videos each on average.
MIN_VIDEOS_FOR_AUTO = 6
LIBRARIES = ("numpy", "scikit-learn", "scipy")


def run(
    spec: ClusterSpec,
    *,
    features: Annotated[tuple[Path, ...], FEATURE_DIRS_HELP],
    shards: Annotated[int, "number of shards"],
    out: Annotated[Path, "labels.parquet to write: video_id, cluster, label, segments"],
    annotations: Annotated[
        Path | None, "annotation file, read for subsets only unless the run is told; without it all videos train"
    ] = None,
    previous_model: Annotated[Path | None, "the previous round's model, for the later rounds' descriptors"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    ids = read_subset_ids(annotations, spec.train_subset) if annotations else None
    streams = _with_material(read_streams(features, _streams(spec, previous_model), shards, ids), spec.streams)
    videos = list(streams[spec.streams[0]])
    inputs = {f"features/{name}": read_stream_input_id(features, name, shards) for name in streams}
    curve: dict[int, float] = {}
    if spec.supervision != "unsupervised":
        told = _told(spec, annotations)
        inputs["supervision_labels"] = digest(to_canonical_json(told))
        labels = _labels(spec, annotations, {i: told[i] for i in videos if told[i]})
    else:
        _check_number(spec, features, len(videos))
        z = _descriptors(spec, streams, previous_model, device)
        cluster = load_module(CLUSTERINGS[spec.clustering]).cluster
        if spec.classes == "auto" and not previous_model:
            curve = compute_silhouettes(z, cluster, spec.seed)
        clusters = relabel_by_appearance(cluster(z, _number(spec, curve, previous_model), spec.seed))
        labels = [Label(i, k, format_cluster_label(k)) for i, k in zip(videos, clusters.tolist(), strict=True)]
    if previous_model:
        inputs["previous_model"] = read_weights_provenance(previous_model).id
    libraries = (*LIBRARIES, "torch") if previous_model else LIBRARIES
    write_labels(out, labels, make_provenance("cluster", spec, inputs, libraries), curve)


def _streams(spec: ClusterSpec, previous_model: Path | None) -> tuple[str, ...]:
    """What the descriptors are made of, and beside it what the model that attends reads."""
    if (spec.descriptor == "mean") != (previous_model is None):
        raise UserError(
            f"--previous-model: the `{spec.descriptor}` descriptor {'takes no' if previous_model else 'needs a'} model"
        )
    return tuple(read_weights_metadata(previous_model)["localizer_config"]["dims"]) if previous_model else spec.streams


def _with_material(streams: FeaturesByStream, pooled: Collection[str]) -> FeaturesByStream:
    """Without the videos of which nothing could be read: alike in being empty, they would form a cluster."""
    some = {i for name in pooled for i, video in streams[name].items() if (video.coverage > 0).any()}
    return {name: {i: v for i, v in videos.items() if i in some} for name, videos in streams.items()}


def _descriptors(spec: ClusterSpec, streams: FeaturesByStream, previous_model: Path | None, device: str) -> Any:
    prepare_pooling: Callable[..., Any] = load_module(DESCRIPTORS[spec.descriptor]).prepare_pooling
    if previous_model is None:
        return pool_descriptors(*prepare_pooling(streams))
    # Round 0 needs no torch and should not wait for it.
    from clip_ae.encoders.devices import configure_torch, resolve_device

    configure_torch(spec.torch_threads)
    file = read_weights(previous_model)
    return pool_descriptors(
        *prepare_pooling(
            streams, file.tensors, file.metadata, resolve_device(device), use_fused=spec.descriptor == "fused"
        )
    )


def _check_number(spec: ClusterSpec, features: FeatureDirs, videos: int) -> None:
    fewest = MIN_VIDEOS_FOR_AUTO if spec.classes == "auto" else spec.classes
    if videos < fewest:
        words = "tell a number of clusters" if spec.classes == "auto" else f"form {spec.classes} clusters"
        raise UserError(f"{features}: {videos} training videos cannot {words}; lower `classes`")


def _number(spec: ClusterSpec, curve: Mapping[int, float], previous_model: Path | None) -> int:
    """As many as were chosen in the first round, where the number was left open."""
    if spec.classes != "auto":
        return spec.classes
    if previous_model:
        return len(read_weights_metadata(previous_model)["localizer_config"]["labels"])
    if not curve:
        raise UserError("the training videos are too much alike to tell a number of clusters; give `classes`")
    for number, value in curve.items():
        log_line(f"{number:3} clusters: silhouette {value:.3f}")
    log_line(f"cluster: {choose_num_clusters(curve)} clusters, the best separated")
    return choose_num_clusters(curve)


def _told(spec: ClusterSpec, path: Path | None) -> SupervisionLabels:
    if path is None:
        raise UserError(f"--annotations: missing; `{spec.supervision}` supervision needs them")
    return labels_for_supervision(read_annotations(path), spec.train_subset, spec.supervision)


def _labels(spec: ClusterSpec, path: Path | None, known: SupervisionLabels) -> list[Label]:
    """Classes by name in place of clusters, for the videos that have any."""
    names = sorted({name for classes in known.values() for name in classes})
    if spec.classes not in ("auto", len(names)):
        raise UserError(
            f"{path}: the training videos show {len(names)} classes, not {spec.classes}; "
            "every class needs a training video: correct `classes` or the annotations"
        )
    return [Label(i, k, name, known[i][name]) for i in known for k, name in enumerate(names) if name in known[i]]
