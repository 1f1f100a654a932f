"""Say why a score is what it is: kinds of false detections and their cost, what is missed, what is found well."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np

from clip_ae.core.config.specs import DiagnoseSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import check_output_path
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import Annotation, Detection
from clip_ae.data.annotations import annotations_digest, read_annotations, read_evaluated_ids
from clip_ae.data.detections import read_detections, read_json_object, write_json
from clip_ae.data.parquet import read_rows, report_table_errors
from clip_ae.pages.diagnosis_text import format_diagnosis
from clip_ae.provenance.read_provenance import read_input_id
from clip_ae.scoring.diagnosis import build_diagnosis
from clip_ae.scoring.evaluate import build_eval_input, collect_labels, refuse_unknown_labels
from clip_ae.scoring.segments import Floats

ClusterWeights = Mapping[str, Mapping[str, float]]


def run(
    spec: DiagnoseSpec,
    *,
    detections: Annotated[Path, "detections in ActivityNet's submission form, or a Parquet table of them"],
    ground_truth: Annotated[Path, "annotations in ActivityNet's form, or the folder of the THUMOS14 kit's text files"],
    out: Annotated[Path, "diagnosis.json to write"],
    scores: Annotated[Path | None, "map.json of the same detections, where they carry clusters: it names them"] = None,
    catalog: Annotated[Path | None, "videos.parquet, for lengths that the ground truth does not state"] = None,
) -> None:
    database = read_annotations(ground_truth)
    ids = read_evaluated_ids(ground_truth, spec.test_subset, spec.video_list)
    test = {i: database[i] for i in ids}
    check_output_path(out, (detections, ground_truth, scores, catalog))
    found = read_detections(detections)
    if scores:
        found = _named(found, _weights(scores))
    refuse_unknown_labels(detections, found, collect_labels(database.values()))
    problem = build_eval_input(test, {i: a for i, a in database.items() if i not in test}, [], found)
    if not len(problem.ground_truth):
        raise UserError(f"{ground_truth}: subset '{spec.test_subset}' has no annotated action to look at")
    content = build_diagnosis(problem, spec.tiou, _durations(test, catalog))
    inputs = {
        "annotations": annotations_digest(ground_truth),
        "detections": read_input_id(detections),
        **({"scores": read_input_id(scores)} if scores else {}),
        **({"videos": read_input_id(catalog)} if catalog else {}),
    }
    write_json(out, {**content, "provenance": asdict(make_provenance("diagnose", spec, inputs, ("numpy",)))})
    print(format_diagnosis(content))


def _weights(path: Path) -> ClusterWeights:
    """What each cluster stands for, by the headline mapping of a run's own map.json."""
    mapping = read_json_object(path).get("mapping", {})
    weights = mapping.get(mapping.get("headline"), {}).get("weights")
    if not isinstance(weights, dict):
        raise UserError(f"{path}: names no clusters; give the map.json beside the detections, of a run of clusters")
    return weights


def _named(found: list[Detection], weights: ClusterWeights) -> list[Detection]:
    """Under class names, once for every class that a cluster stands for; none where it stands for none."""
    pairs = ((d, name, w) for d in found for name, w in weights.get(d.label, {}).items())
    return [Detection(d.video_id, name, d.score * w, d.start, d.stop) for d, name, w in pairs]


def _durations(test: Mapping[str, Annotation], catalog: Path | None) -> Floats:
    """Of every test video in order of its id; nan where nobody knows."""
    probed: dict[str, float] = {}
    if catalog:
        with report_table_errors(catalog):
            probed = {row["video_id"]: float(row["duration"]) or np.nan for row in read_rows(catalog)}
    return np.array([test[i].duration or probed.get(i, np.nan) for i in sorted(test)])
