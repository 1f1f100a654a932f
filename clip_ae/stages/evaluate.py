"""Score detections against annotations. Only this stage gives class names to clusters from annotations."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import EvaluateSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import check_output_path
from clip_ae.core.provenance import digest, make_provenance
from clip_ae.data.annotations import annotations_digest, read_annotations, read_evaluated_ids
from clip_ae.data.detections import read_detections, read_localizer_facts, read_videos_without_features, write_json
from clip_ae.data.labels import read_labels
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.pages.score_text import format_scores
from clip_ae.pipeline.evaluation import can_name_clusters, evaluate_detections
from clip_ae.provenance.read_provenance import read_input_id


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
        raise UserError(
            f"{ground_truth}: no video of {labels[-1].name} has an annotated action in subset '{spec.train_subset}', "
            "so no cluster can be named"
        )
    content = evaluate_detections(
        spec,
        annotations,
        test_ids,
        read_detections(detections),
        rounds,
        source=str(detections),
        other_curve=read_detections(other_curve) if other_curve else None,
        without_features=read_videos_without_features(detections),
    )
    if other_curve:
        content |= read_localizer_facts(detections)
        content["other_curve"] |= {"cut_from": read_localizer_facts(other_curve)["cut_from"]}
    inputs = {
        "annotations": annotations_digest(ground_truth),
        "detections": read_input_id(detections),
        **({"other_curve": read_input_id(other_curve)} if other_curve else {}),
        **({"videos": digest(",".join(sorted(test_ids)))} if spec.evaluation.video_list else {}),
        **{f"labels/{number}": read_parquet_provenance(path).id for number, path in enumerate(labels)},
    }
    provenance = make_provenance("evaluate", spec, inputs, ("numpy", "scikit-learn", "scipy"))
    write_json(out, {**content, "provenance": asdict(provenance)})
    print(format_scores(content))
