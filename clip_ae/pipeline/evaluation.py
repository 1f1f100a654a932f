"""Score detections against annotations: the content of map.json."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from clip_ae.clustering.quality import ClusterQuality, measure_quality
from clip_ae.core.config.schema import Evaluation
from clip_ae.core.config.specs import EvaluateSpec
from clip_ae.core.tiou_ranges import parse_tiou_ranges
from clip_ae.core.types import Annotation, Detection, Label
from clip_ae.scoring.counts import count_scored_items
from clip_ae.scoring.eval_input import (
    EvalInput,
    build_eval_input,
    collect_labels,
    find_main_class,
    refuse_unknown_labels,
    round_times,
)
from clip_ae.scoring.evaluate import score_classes, score_clusters, score_map
from clip_ae.scoring.frame_protocols import FRAME_PROTOCOLS
from clip_ae.scoring.protocols import PROTOCOLS

EXACT_TIMES_NOTE = "in seconds, neither detections nor ground truth rounded"
CLUSTER_NAMES_NOTE = (
    "Clusters get class names from the training videos' annotations, here and nowhere else. "
    "Chance: each test video's clusters renamed by a random permutation, segments and scores kept; "
    "mean over the shuffles."
)


def evaluate_detections(
    spec: EvaluateSpec,
    annotations: Mapping[str, Annotation],
    test_ids: Sequence[str],
    detections: Sequence[Detection],
    rounds: Sequence[Sequence[Label]] = (),
    source: str = "detections",
    other_curve: Sequence[Detection] | None = None,
    without_features: Collection[str] = (),
) -> dict[str, Any]:
    """The content of map.json, without provenance.

    `rounds`: the labels of every round, if the labels of detections are clusters; the last round names the clusters.
    `source`: the name of the detections in errors. `other_curve`: detections of the same model, cut from its other
    curve, to be scored for comparison. `without_features`: the videos that could not be localized.
    """
    # Before any work: the command line can set what the config's checks would refuse.
    parse_tiou_ranges(spec.evaluation.tiou_ranges, spec.evaluation.tiou)
    test = {video_id: annotations[video_id] for video_id in test_ids}
    train = (
        _select_annotated(annotations, rounds[-1], spec.train_subset) if rounds else _select_others(annotations, test)
    )
    if not rounds:
        refuse_unknown_labels(source, detections, collect_labels(annotations.values()))
    is_supervised = spec.supervision != "unsupervised"

    def build_input(found: Sequence[Detection]) -> EvalInput:
        labels = rounds[-1] if rounds else []
        return build_eval_input(test, train, labels, found, labels_are_classes=is_supervised)

    eval_input = build_input(detections)
    return {
        **(score_clusters if rounds else score_classes)(eval_input, spec.evaluation),
        **({} if other_curve is None else {"other_curve": score_map(build_input(other_curve), spec.evaluation)}),
        # Cluster quality of every round; empty if the labels are classes.
        "rounds": []
        if is_supervised
        else [asdict(_measure_quality(annotations, r, spec.train_subset)) for r in rounds],
        "counts": count_scored_items(
            test, detections, without_features, round_times(eval_input, spec.evaluation.round_to_grid)
        ),
        "protocol": _describe_protocol(spec, has_clusters=bool(rounds)),
    }


def can_name_clusters(annotations: Mapping[str, Annotation], labels: Sequence[Label], train_subset: str) -> bool:
    """Whether any labelled training video has an annotated action."""
    return bool(_select_annotated(annotations, labels, train_subset))


def _describe_protocol(spec: EvaluateSpec, *, has_clusters: bool) -> str:
    settings = spec.evaluation
    step = settings.round_to_grid
    times = EXACT_TIMES_NOTE if step is None else f"both moved to multiples of {step:g} s, which inflates mAP"
    video_list = f" Of the subset, {settings.video_list} alone." if settings.video_list else ""
    return (
        f"{settings.protocol} detection, {times}: {PROTOCOLS[settings.protocol].description}; mean over the classes "
        f"that occur in the test subset.{_describe_frames(settings)}{video_list}"
        f"{f' {CLUSTER_NAMES_NOTE}' if has_clusters else ''}"
    )


def _describe_frames(settings: Evaluation) -> str:
    name = settings.frame_protocol
    return "" if name is None else f" {name} frames: {FRAME_PROTOCOLS[name].description}."


def _select_others(annotations: Mapping[str, Annotation], test: Mapping[str, Annotation]) -> dict[str, Annotation]:
    """The videos that are not scored. A detection may have a class that occurs only in them."""
    return {i: a for i, a in annotations.items() if i not in test}


def _measure_quality(annotations: Mapping[str, Annotation], labels: Sequence[Label], subset: str) -> ClusterQuality:
    annotated = _select_annotated(annotations, labels, subset)
    clusters = {label.video_id: label.cluster for label in labels}
    return measure_quality([clusters[i] for i in annotated], [find_main_class(a) for a in annotated.values()])


def _select_annotated(
    annotations: Mapping[str, Annotation], labels: Sequence[Label], subset: str
) -> dict[str, Annotation]:
    """The labelled training videos that have an annotated action."""
    labelled = {i: annotations[i] for i in sorted({label.video_id for label in labels}) if i in annotations}
    return {i: a for i, a in labelled.items() if a.subset == subset and a.instances}
