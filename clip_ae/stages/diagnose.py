"""Analyse detections: types of errors and their cost in mAP, missed actions, boundaries, proposals, curves."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.specs import DiagnoseSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import check_output_path
from clip_ae.core.provenance import make_provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.tiou_ranges import parse_tiou_ranges
from clip_ae.core.types import Annotation, Detection
from clip_ae.data.annotations import annotations_digest, read_annotations, read_evaluated_ids
from clip_ae.data.curves import read_curves
from clip_ae.data.detections import read_json_object, read_submission, write_json
from clip_ae.data.parquet import read_parquet_provenance, read_rows, report_table_errors
from clip_ae.pages.diagnosis_text import format_diagnosis
from clip_ae.provenance.read_provenance import get_submission_id, read_input_id
from clip_ae.scoring.curve_auc import ClusterWeights, measure_activation, measure_attention
from clip_ae.scoring.diagnosis import build_diagnosis
from clip_ae.scoring.eval_input import build_eval_input, collect_labels, refuse_unknown_labels
from clip_ae.scoring.proposal_recall import merge_proposals, summarize_proposals
from clip_ae.scoring.segments import Floats


def run(
    spec: DiagnoseSpec,
    *,
    detections: Annotated[Path, "detections in the ActivityNet submission format, or a Parquet table of them"],
    ground_truth: Annotated[
        Path, "annotations in the ActivityNet format, or the folder of the THUMOS14 kit's text files"
    ],
    out: Annotated[Path, "diagnosis.json to write"],
    scores: Annotated[Path | None, "map.json of the same detections, which gives class names to clusters"] = None,
    catalog: Annotated[Path | None, "videos.parquet, for video lengths that the ground truth does not state"] = None,
    curves: Annotated[Path | None, "curves.parquet of the run, to measure how well attention follows actions"] = None,
) -> None:
    parse_tiou_ranges((), spec.tiou, "diagnose")
    annotations = read_annotations(ground_truth)
    test = {i: annotations[i] for i in read_evaluated_ids(ground_truth, spec.test_subset, spec.video_list)}
    check_output_path(out, (detections, ground_truth, scores, catalog, curves))
    submission = read_submission(detections)
    all_detections = submission.detections
    cluster_weights = _read_cluster_weights(scores) if scores else None
    named_detections = all_detections if cluster_weights is None else _name_clusters(all_detections, cluster_weights)
    refuse_unknown_labels(detections, named_detections, collect_labels(annotations.values()))
    others = {i: a for i, a in annotations.items() if i not in test}
    eval_input = build_eval_input(test, others, [], named_detections)
    if not len(eval_input.ground_truth):
        raise UserError(f"{ground_truth}: subset '{spec.test_subset}' has no annotated action to diagnose")
    proposals = merge_proposals(all_detections, eval_input.videos)
    content = {
        **build_diagnosis(eval_input, spec.tiou, _read_durations(test, catalog)),
        "proposals": summarize_proposals(eval_input.ground_truth, proposals, spec.tiou),
        **({"curves": _measure_curves(curves, test, cluster_weights)} if curves else {}),
    }
    inputs = {
        "annotations": annotations_digest(ground_truth),
        "detections": get_submission_id(submission),
        **({"scores": read_input_id(scores)} if scores else {}),
        **({"videos": read_input_id(catalog)} if catalog else {}),
        **({"curves": read_input_id(curves)} if curves else {}),
    }
    write_json(out, {**content, "provenance": asdict(make_provenance("diagnose", spec, inputs, ("numpy",)))})
    print(format_diagnosis(content))


def _read_cluster_weights(scores: Path) -> ClusterWeights:
    """Class weights of each cluster, by the cluster mapping that map.json names under `headline`."""
    content = read_json_object(scores)
    try:
        mapping = content["mapping"]
        weights = {c: dict(by_class) for c, by_class in mapping[mapping["headline"]]["weights"].items()}
        are_weights = all(0 <= weight <= 1 for by_class in weights.values() for weight in by_class.values())
    except (KeyError, TypeError, ValueError, AttributeError):
        are_weights = False
    if not are_weights:
        raise UserError(f"{scores}: names no clusters; give the map.json of the run that has these detections")
    return weights


def _name_clusters(detections: Sequence[Detection], weights: ClusterWeights) -> list[Detection]:
    """One detection for each class of its cluster, its score times the class weight; none without a class."""
    pairs = ((d, name, weight) for d in detections for name, weight in weights.get(d.label, {}).items())
    return [Detection(d.video_id, name, d.score * weight, d.start, d.stop) for d, name, weight in pairs]


def _measure_curves(
    path: Path, test: Mapping[str, Annotation], cluster_weights: ClusterWeights | None
) -> dict[str, Any]:
    """AUC of attention and of activation. The times of snippets are on the grid that localize had."""
    with report_table_errors(path):
        curves = read_curves(path)
        grid = parse_dataclass(SnippetGrid, read_parquet_provenance(path).spec["grid"], f"{path}: grid")
    return {
        "attention": measure_attention(curves, test, grid),
        "activation": measure_activation(curves, test, grid, cluster_weights),
    }


def _read_durations(test: Mapping[str, Annotation], catalog: Path | None) -> Floats:
    """Seconds of every test video in order of its id; nan if neither source states them."""
    probed: dict[str, float] = {}
    if catalog:
        with report_table_errors(catalog):
            probed = {row["video_id"]: float(row["duration"]) or np.nan for row in read_rows(catalog)}
    return np.array([test[i].duration or probed.get(i, np.nan) for i in sorted(test)])
