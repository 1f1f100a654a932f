"""Score detections against annotations. Only this stage gives class names to clusters from annotations."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import EvaluateSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import check_output_path
from clip_ae.core.provenance import digest, make_provenance
from clip_ae.data.annotations import annotations_digest, read_annotations, read_evaluated_ids
from clip_ae.data.detections import read_submission, write_json
from clip_ae.data.labels import read_labels
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.pages.score_text import format_scores
from clip_ae.pipeline.evaluation import can_name_clusters, evaluate_detections
from clip_ae.provenance.read_provenance import get_submission_id


def run(
    spec: EvaluateSpec,
    *,
    detections: Annotated[Path, "detections in the ActivityNet submission format, or a Parquet table of them"],
    ground_truth: Annotated[
        Path, "annotations in the ActivityNet format, or the folder of the THUMOS14 kit's text files"
    ],
    out: Annotated[Path, "map.json to write"],
    other_curve: Annotated[
        Path | None, "detections of the same model, cut from its other curve: scored for comparison"
    ] = None,
    labels: Annotated[
        tuple[Path, ...], "labels.parquet of every round in order, if the labels of detections are clusters"
    ] = (),
) -> None:
    check_output_path(out, (detections, ground_truth, *labels))
    annotations = read_annotations(ground_truth)
    test_ids = read_evaluated_ids(ground_truth, spec.test_subset, spec.evaluation.video_list)
    if not any(annotations[video_id].instances for video_id in test_ids):
        raise UserError(f"{ground_truth}: subset '{spec.test_subset}' has no annotated action to score against")
    rounds = [read_labels(path) for path in labels]
    if rounds and not can_name_clusters(annotations, rounds[-1], spec.train_subset):
        raise _make_naming_error(ground_truth, labels[-1], spec.train_subset)
    submission = read_submission(detections)
    other_submission = read_submission(other_curve) if other_curve else None
    content = evaluate_detections(
        spec,
        annotations,
        test_ids,
        submission.detections,
        rounds,
        source=str(detections),
        other_curve=other_submission.detections if other_submission else None,
        without_features=submission.list_videos_without_features(),
    )
    if other_submission:
        content |= submission.get_localizer_facts()
        content["other_curve"] |= {"cut_from": other_submission.get_localizer_facts()["cut_from"]}
    inputs = {
        "annotations": annotations_digest(ground_truth),
        "detections": get_submission_id(submission),
        **({"other_curve": get_submission_id(other_submission)} if other_submission else {}),
        **({"videos": digest(",".join(sorted(test_ids)))} if spec.evaluation.video_list else {}),
        **{f"labels/{number}": read_parquet_provenance(path).id for number, path in enumerate(labels)},
    }
    provenance = make_provenance("evaluate", spec, inputs, ("numpy", "scikit-learn", "scipy"))
    write_json(out, {**content, "provenance": asdict(provenance)})
    print(format_scores(content))


def _make_naming_error(ground_truth: Path, labels: Path, train_subset: str) -> UserError:
    return UserError(
        f"{ground_truth}: no video of {labels.name} has an annotated action in subset '{train_subset}', "
        "so no cluster can be named"
    )
