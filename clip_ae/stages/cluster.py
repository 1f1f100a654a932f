"""Cluster the training videos for one round of pseudo-labels, or write the true labels of a supervised run."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.clustering.centres import DistanceFunction, compute_centres, distances_to_centres, select_nearest
from clip_ae.clustering.num_clusters import choose_num_clusters, compute_silhouettes
from clip_ae.clustering.partition import Partition
from clip_ae.clustering.pooling import pool_descriptors
from clip_ae.clustering.relabel import relabel_by_appearance
from clip_ae.core.config.dataclass_config import parse_dataclass, to_canonical_json
from clip_ae.core.config.registry import CLUSTER_REFINEMENTS, CLUSTERINGS, DESCRIPTORS, load_module
from clip_ae.core.config.specs import ClusterSpec
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.errors import UserError
from clip_ae.core.progress import log_line
from clip_ae.core.provenance import digest, make_provenance
from clip_ae.core.supervision import SupervisionLabels, labels_for_supervision
from clip_ae.core.types import FeaturesByStream, Label, format_cluster_label
from clip_ae.data.annotations import read_annotations, read_subset_ids
from clip_ae.data.labels import write_labels
from clip_ae.data.shards import FEATURE_DIRS_HELP, FeatureDirs, find_stream_dir, read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.weights.network_file import read_weights, read_weights_metadata, read_weights_provenance

# The silhouette chooses between at least two numbers of clusters, with two videos in a cluster on average.
MIN_VIDEOS_FOR_AUTO = 6
LIBRARIES = ("numpy", "scikit-learn", "scipy")
Silhouettes = dict[int, float]


def run(
    spec: ClusterSpec,
    *,
    features: Annotated[tuple[Path, ...], FEATURE_DIRS_HELP],
    shards: Annotated[int, "number of shards"],
    out: Annotated[Path, "labels.parquet to write: video_id, cluster, label, segments"],
    annotations: Annotated[
        Path | None,
        "annotation file; an unsupervised run reads only its subsets. Without it all videos are training videos",
    ] = None,
    previous_model: Annotated[Path | None, "model of the previous round, for the descriptors of later rounds"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    ids = read_subset_ids(annotations, spec.train_subset) if annotations else None
    all_streams = read_streams(features, _input_roles(spec, previous_model), shards, ids)
    streams = _drop_uncovered_videos(all_streams, spec.streams)
    inputs = {f"features/{name}": read_stream_input_id(features, name, shards) for name in streams}
    silhouettes: Silhouettes = {}
    if spec.supervision == "unsupervised":
        _check_num_videos(spec, features, len(streams[spec.streams[0]]))
        labels, silhouettes = _cluster_videos(spec, streams, previous_model, device)
    else:
        true_labels = _read_true_labels(spec, annotations)
        inputs["supervision_labels"] = digest(to_canonical_json(true_labels))
        labels = _labels_by_class(spec, annotations, true_labels, streams[spec.streams[0]])
    if previous_model:
        inputs["previous_model"] = read_weights_provenance(previous_model).id
    libraries = (*LIBRARIES, "torch") if previous_model else LIBRARIES
    write_labels(out, labels, make_provenance("cluster", spec, inputs, libraries), silhouettes)


def _input_roles(spec: ClusterSpec, previous_model: Path | None) -> StreamRoles:
    """The streams of the descriptors; in later rounds also those that the attention model reads."""
    if (spec.descriptor == "mean") != (previous_model is None):
        raise UserError(
            f"--previous-model: the `{spec.descriptor}` descriptor {'takes no' if previous_model else 'needs a'} model"
        )
    if previous_model is None:
        return StreamRoles(spec.streams)
    config = read_weights_metadata(previous_model)["localizer_config"]
    return parse_dataclass(StreamRoles, config["roles"], f"{previous_model}: roles")


def _drop_uncovered_videos(streams: FeaturesByStream, descriptor_streams: Collection[str]) -> FeaturesByStream:
    """Leave out the videos without any decoded snippet: their descriptors are equal and would form a cluster."""
    covered_ids = {i for name in descriptor_streams for i, video in streams[name].items() if (video.coverage > 0).any()}
    return {name: {i: v for i, v in videos.items() if i in covered_ids} for name, videos in streams.items()}


def _cluster_videos(
    spec: ClusterSpec, streams: FeaturesByStream, previous_model: Path | None, device: str
) -> tuple[list[Label], Silhouettes]:
    """A cluster for each video that trains; and the silhouette of each number of clusters, if this round chooses it."""
    descriptors = _pool_descriptors(spec, streams, previous_model, device)
    clustering = load_module(CLUSTERINGS[spec.clustering])
    if len(descriptors) > getattr(clustering, "MAX_EXACT", len(descriptors)):
        log_line(f"cluster: {len(descriptors)} videos are many: spectral clustering by the Nyström method")
    partition: Partition = clustering.prepare(descriptors, spec.seed)
    silhouettes: Silhouettes = {}
    if spec.classes == "auto" and not previous_model:
        silhouettes = compute_silhouettes(descriptors, partition, spec.seed)
    num_clusters = _choose_num_clusters(spec, silhouettes, previous_model)
    clusters = relabel_by_appearance(partition(num_clusters))
    clusters, selected = _refine_and_select(spec, descriptors, clusters)
    videos = zip(streams[spec.streams[0]], clusters.tolist(), selected.tolist(), strict=True)
    return [Label(i, k, format_cluster_label(k)) for i, k, is_selected in videos if is_selected], silhouettes


def _refine_and_select(
    spec: ClusterSpec, descriptors: NDArray[np.float64], clusters: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """The clusters [N] after the refinement, and whether each video trains [N]."""
    measure: DistanceFunction = distances_to_centres
    if spec.cluster_refinement != "none":
        measure = load_module(CLUSTER_REFINEMENTS[spec.cluster_refinement]).distances_to_centres
    elif spec.confident_share == 1:
        return clusters, np.ones(len(clusters), np.bool_)
    distances = measure(descriptors, compute_centres(descriptors, clusters))
    if spec.cluster_refinement != "none":
        clusters = distances.argmin(axis=1).astype(np.int32)
    own_distances = distances[np.arange(len(clusters)), clusters]
    return relabel_by_appearance(clusters), select_nearest(clusters, own_distances, spec.confident_share)


def _pool_descriptors(spec: ClusterSpec, streams: FeaturesByStream, previous_model: Path | None, device: str) -> Any:
    prepare_pooling: Callable[..., Any] = load_module(DESCRIPTORS[spec.descriptor]).prepare_pooling
    if previous_model is None:
        return pool_descriptors(*prepare_pooling(streams))
    # Imported here: round 0 needs no torch, which takes seconds to import.
    from clip_ae.encoders.devices import configure_torch, resolve_device

    configure_torch(spec.torch_threads)
    model = read_weights(previous_model)
    return pool_descriptors(
        *prepare_pooling(
            streams,
            model.tensors,
            model.metadata,
            resolve_device(device),
            use_fused=spec.descriptor == "fused",
            descriptor_weights=spec.descriptor_weights,
        )
    )


def _check_num_videos(spec: ClusterSpec, features: FeatureDirs, num_videos: int) -> None:
    minimum = MIN_VIDEOS_FOR_AUTO if spec.classes == "auto" else spec.classes
    if num_videos < minimum:
        advice = (
            f"for `classes: auto`, which needs at least {minimum}; add videos, or set `classes` to a number"
            if spec.classes == "auto"
            else f"to form {minimum} clusters; lower `clusters` of the run or `classes` of the dataset"
        )
        place = find_stream_dir(spec.streams[0], features).parent
        raise UserError(f"{place}: {num_videos} training videos are too few {advice}")


def _choose_num_clusters(spec: ClusterSpec, silhouettes: Mapping[int, float], previous_model: Path | None) -> int:
    """The number of the config; for `auto` the number with the best silhouette in round 0, also in later rounds."""
    if spec.classes != "auto":
        return spec.classes
    if previous_model:
        return len(read_weights_metadata(previous_model)["localizer_config"]["labels"])
    if not silhouettes:
        raise UserError("the training videos are too similar to choose a number of clusters; set `classes`")
    for number, value in silhouettes.items():
        log_line(f"{number:3} clusters: silhouette {value:.3f}")
    num_clusters = choose_num_clusters(silhouettes)
    log_line(f"cluster: {num_clusters} clusters, the best separated")
    return num_clusters


def _read_true_labels(spec: ClusterSpec, annotations: Path | None) -> SupervisionLabels:
    if annotations is None:
        raise UserError(f"--annotations: missing; `{spec.supervision}` supervision needs them")
    return labels_for_supervision(read_annotations(annotations), spec.train_subset, spec.supervision)


def _labels_by_class(
    spec: ClusterSpec, annotations: Path | None, true_labels: SupervisionLabels, video_ids: Collection[str]
) -> list[Label]:
    """Classes in order of their names in place of clusters, for the videos that have any."""
    classes_of = {i: true_labels[i] for i in video_ids if true_labels[i]}
    names: Sequence[str] = sorted({name for classes in classes_of.values() for name in classes})
    if spec.classes not in ("auto", len(names)):
        raise UserError(
            f"{annotations}: the training videos show {len(names)} classes, not {spec.classes}; "
            "every class needs a training video: correct `classes` or the annotations"
        )
    return [
        Label(i, k, name, classes_of[i][name])
        for i in classes_of
        for k, name in enumerate(names)
        if name in classes_of[i]
    ]
