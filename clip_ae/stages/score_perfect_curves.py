"""Score perfect curves, made from the annotations of the test videos: the bound of every method of a dataset."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import EvaluateSpec, ScorePerfectCurvesSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import check_output_path
from clip_ae.core.provenance import make_provenance
from clip_ae.data.annotations import annotations_digest, read_annotations, read_evaluated_ids
from clip_ae.data.detections import write_json
from clip_ae.data.parquet import read_parquet_provenance, read_rows, report_table_errors
from clip_ae.pages.score_text import format_scores
from clip_ae.pipeline.evaluation import evaluate_detections
from clip_ae.pipeline.perfect_curves import VideoLength, detect_from_annotations
from clip_ae.scoring.bounds import PERFECT_CURVES


def run(
    spec: ScorePerfectCurvesSpec,
    *,
    ground_truth: Annotated[
        Path, "annotations in the ActivityNet format, or the folder of the THUMOS14 kit's text files"
    ],
    catalog: Annotated[Path, "videos.parquet, for the number of snippets and the length of each video"],
    out: Annotated[Path, "perfect_curves_map.json to write"],
) -> None:
    check_output_path(out, (ground_truth, catalog))
    annotations = read_annotations(ground_truth)
    test_ids = read_evaluated_ids(ground_truth, spec.test_subset, spec.evaluation.video_list)
    if not any(annotations[video_id].instances for video_id in test_ids):
        raise UserError(f"{ground_truth}: subset '{spec.test_subset}' has no annotated action to score against")
    with report_table_errors(catalog):
        videos = [VideoLength(row["video_id"], row["snippets"], row["duration"]) for row in read_rows(catalog)]
    test = {video_id: annotations[video_id] for video_id in test_ids}
    detections = detect_from_annotations(test, videos, spec.localization, spec.grid)
    settings = EvaluateSpec(spec.evaluation, "full", test_subset=spec.test_subset)
    content = evaluate_detections(settings, annotations, test_ids, detections, source=PERFECT_CURVES)
    inputs = {"annotations": annotations_digest(ground_truth), "videos": read_parquet_provenance(catalog).id}
    provenance = make_provenance("score_perfect_curves", spec, inputs, ("numpy",))
    write_json(out, {**content, "method": PERFECT_CURVES, "provenance": asdict(provenance)})
    print(PERFECT_CURVES)
    print(format_scores(content))
