"""Score detections against annotations: only here do clusters get the names of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from clip_ae.clustering.quality import ClusterQuality, measure_quality
from clip_ae.core.config.specs import EvaluateSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import check_output_path
from clip_ae.core.provenance import digest, make_provenance
from clip_ae.core.types import Annotation, Label
from clip_ae.data.annotations import annotations_digest, read_annotations, read_evaluated_ids
from clip_ae.data.detections import read_detections, write_json
from clip_ae.data.labels import read_labels
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.pages.score_text import format_scores
from clip_ae.provenance.read_provenance import read_input_id
from clip_ae.scoring.counts import count_scored_items
from clip_ae.scoring.evaluate import (
    build_eval_input,
    collect_labels,
    find_main_class,
    refuse_unknown_labels,
    round_to_grid,
    score_classes,
    score_clusters,
)
from clip_ae.scoring.protocols import PROTOCOLS

EXACT_TIMES_NOTE = "in seconds, neither detections nor ground truth rounded"
CLUSTER_NAMES_NOTE = (
    "Clusters get class names from the training videos' annotations, here and nowhere else. "
    "Chance: each test video's clusters renamed by a random permutation, segments and scores kept; "
    "mean over the shuffles."
)


def run(
    spec: EvaluateSpec,
    *,
    detections: Annotated[Path, "detections in ActivityNet's submission form, or a Parquet table of them"],
    ground_truth: Annotated[Path, "annotations in ActivityNet's form, or the folder of the THUMOS14 kit's text files"],
    out: Annotated[Path, "map.json to write"],
    labels: Annotated[
        tuple[Path, ...], "labels.parquet of every round, the last one last, where detections carry clusters"
    ] = (),
) -> None:
    check_output_path(out, (detections, ground_truth, *labels))
    database = read_annotations(ground_truth)
    test = {i: database[i] for i in read_evaluated_ids(ground_truth, spec.test_subset, spec.evaluation.video_list)}
    if not any(a.instances for a in test.values()):
        raise UserError(f"{ground_truth}: subset '{spec.test_subset}' has no annotated action to score against")
    rounds = [read_labels(path) for path in labels]
    train = _known(database, rounds[-1], spec.train_subset) if rounds else _others(database, test)
    if rounds and not train:
        raise UserError(
            f"{ground_truth}: no video of {labels[-1].name} has an annotated action in subset '{spec.train_subset}', "
            "so no cluster can be named"
        )
    found = read_detections(detections)
    if not rounds:
        refuse_unknown_labels(detections, found, collect_labels(database.values()))
    told = spec.supervision != "unsupervised"
    problem = build_eval_input(test, train, rounds[-1] if rounds else [], found, labels_are_classes=told)
    inputs = {
        "annotations": annotations_digest(ground_truth),
        "detections": read_input_id(detections),
        **({"videos": digest(",".join(sorted(test)))} if spec.evaluation.video_list else {}),
        **{f"labels/{k}": read_parquet_provenance(path).id for k, path in enumerate(labels)},
    }
    content = {
        **(score_clusters if rounds else score_classes)(problem, spec.evaluation),
        # Of every round's clusters; none where the classes were told.
        "rounds": [] if told else [asdict(_quality(database, r, spec.train_subset)) for r in rounds],
        "counts": count_scored_items(test, found, round_to_grid(problem, spec.evaluation.round_to_grid)),
        "protocol": _protocol(spec, clustered=bool(rounds)),
        "provenance": asdict(make_provenance("evaluate", spec, inputs, ("numpy", "scikit-learn", "scipy"))),
    }
    write_json(out, content)
    print(format_scores(content))


def _protocol(spec: EvaluateSpec, *, clustered: bool) -> str:
    settings = spec.evaluation
    rounded = settings.round_to_grid
    times = EXACT_TIMES_NOTE if rounded is None else f"both moved to multiples of {rounded:g} s, which inflates mAP"
    chosen = f" Of the subset, {settings.video_list} alone." if settings.video_list else ""
    return (
        f"{settings.protocol} detection, {times}: {PROTOCOLS[settings.protocol].description}; mean over the classes "
        f"that occur in the test subset.{chosen}{f' {CLUSTER_NAMES_NOTE}' if clustered else ''}"
    )


def _others(database: Mapping[str, Annotation], test: Mapping[str, Annotation]) -> dict[str, Annotation]:
    """Videos that are not scored: their classes are known ones."""
    return {i: a for i, a in database.items() if i not in test}


def _quality(database: Mapping[str, Annotation], labels: Sequence[Label], subset: str) -> ClusterQuality:
    known = _known(database, labels, subset)
    clusters = {label.video_id: label.cluster for label in labels}
    return measure_quality([clusters[i] for i in known], [find_main_class(a) for a in known.values()])


def _known(database: Mapping[str, Annotation], labels: Sequence[Label], subset: str) -> dict[str, Annotation]:
    """The labelled training videos whose class is known."""
    known = {i: database[i] for i in sorted({label.video_id for label in labels}) if i in database}
    return {i: a for i, a in known.items() if a.subset == subset and a.instances}
