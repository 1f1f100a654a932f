"""Write and read detections in ActivityNet's submission form or as a table, and other JSON outputs."""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import Detection
from clip_ae.data.json_values import MAX_NAME, MAX_SECONDS, load_json, parse_name, parse_number, parse_segment
from clip_ae.data.parquet import report_table_errors

SUBMISSION_VERSION = "VERSION 1.3"
DECIMALS = 6
# Key of `external_data`: the test videos that could not be localized.
WITHOUT_FEATURES = "videos_without_features"
DETECTION_COLUMNS = ("video_id", "label", "score", "start", "stop")


def write_detections(
    path: Path,
    detections: Iterable[Detection],
    provenance: Provenance,
    videos: Iterable[str] = (),
    **external_data: Any,
) -> None:
    """Write ActivityNet's submission form: videos by id, detections by falling score, then label and time.

    videos: get an empty list if nothing was detected in them. external_data: what to write beside the provenance.
    """
    results: dict[str, list[dict[str, Any]]] = {video_id: [] for video_id in videos}
    for d in sorted(map(_round, detections), key=lambda d: (d.video_id, -d.score, d.label, d.start, d.stop)):
        results.setdefault(d.video_id, []).append({"label": d.label, "score": d.score, "segment": [d.start, d.stop]})
    write_json(
        path,
        {
            "version": SUBMISSION_VERSION,
            "results": results,
            "external_data": {**external_data, "provenance": asdict(provenance)},
        },
    )


@dataclass(frozen=True)
class Submission:
    """Detections, and what a run of this project writes beside them."""

    path: Path
    detections: list[Detection]
    external_data: Mapping[str, Any]

    def get_localizer_facts(self) -> dict[str, Any]:
        """`cut_from`, the curve that the detections were cut from, and `num_parameters` of the localizer."""
        cut_from, num_parameters = self.external_data.get("cut_from"), self.external_data.get("num_parameters")
        if not isinstance(cut_from, dict) or not isinstance(num_parameters, int):
            raise UserError(
                f"{self.path}: does not say which curve it was cut from and how large the localizer is; "
                "run localize again"
            )
        return {"cut_from": cut_from, "num_parameters": num_parameters}

    def list_videos_without_features(self) -> list[str]:
        """The test videos that could not be localized, because a stream lacks them."""
        where = f"{self.path}: external_data.{WITHOUT_FEATURES}"
        videos = self.external_data.get(WITHOUT_FEATURES, [])
        if not isinstance(videos, list):
            raise UserError(f"{where} is not a list of videos")
        return [parse_name(where, "video", video) for video in videos]


def read_submission(path: Path) -> Submission:
    """Read ActivityNet's submission form, or a Parquet table of video_id, label, score, start and stop."""
    if path.suffix == ".parquet":
        return Submission(path, _read_detection_table(path), {})
    content = read_json_object(path)
    results, external_data = content.get("results"), content.get("external_data")
    if not isinstance(results, dict):
        raise UserError(f'{path}: no "results"; expected ActivityNet\'s submission form')
    return Submission(path, _parse_results(path, results), external_data if isinstance(external_data, dict) else {})


def read_detections(path: Path) -> list[Detection]:
    return read_submission(path).detections


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON with sorted keys, so that equal contents have equal bytes; ValueError for nan."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json_object(path: Path) -> dict[str, Any]:
    content = load_json(path, "file")
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object of keys and values")
    return content


def read_json_provenance(path: Path) -> Provenance:
    """Return the provenance from the key `provenance`, at the top or under a submission's `external_data`."""
    content = read_json_object(path)
    parent = content if "provenance" in content else content.get("external_data")
    if not isinstance(parent, dict) or "provenance" not in parent:
        raise _make_provenance_error(path)
    try:
        return Provenance.from_dict(parent["provenance"])
    except TypeError:
        raise _make_provenance_error(path) from None
    except ValueError as error:
        raise UserError(f"{path}: {error}; make it again") from None


def _make_provenance_error(path: Path) -> UserError:
    return UserError(f"{path}: has no provenance; make it again with this project")


def _round(d: Detection) -> Detection:
    return Detection(d.video_id, d.label, *(round(float(v), DECIMALS) for v in (d.score, d.start, d.stop)))


def _parse_results(path: Path, results: dict[str, Any]) -> list[Detection]:
    """The detections; `results` is emptied on the way, so that a large file is not in memory twice."""
    detections: list[Detection] = []
    for video_id in list(results):
        items = results.pop(video_id)
        where = f"{path}: video '{video_id}'"
        if not isinstance(items, list):
            raise UserError(f"{where}: detections are not a list")
        detections += [_parse_detection(f"{where}, detection", i, video_id, item) for i, item in enumerate(items)]
    return detections


def _read_detection_table(path: Path) -> list[Detection]:
    return [
        _parse_detection(f"{path}: row", i, video_id, {"label": label, "score": score, "segment": [start, stop]})
        for i, (video_id, label, score, start, stop) in enumerate(_read_table_rows(path))
    ]


def _read_table_rows(path: Path) -> list[tuple[Any, ...]]:
    """The values of DETECTION_COLUMNS in each row."""
    with report_table_errors(path):
        table = pq.read_table(path)
        missing = [name for name in DETECTION_COLUMNS if table.num_rows and name not in table.column_names]
        if missing:
            raise UserError(f"{path}: no column {', '.join(missing)}; expected {', '.join(DETECTION_COLUMNS)}")
        columns = [table.column(name).to_pylist() for name in DETECTION_COLUMNS] if table.num_rows else []
        return list(zip(*columns, strict=True))


def _parse_detection(where: str, number: int, video_id: Any, item: Any) -> Detection:
    if _has_usual_form(item) and isinstance(video_id, str) and 0 < len(video_id) <= MAX_NAME:
        # A file names few classes a million times: one text for each.
        return Detection(video_id, sys.intern(item["label"]), item["score"], *item["segment"])
    where = f"{where} {number}"
    fields = item if isinstance(item, dict) else {}
    score = parse_number(f"{where}: score", fields.get("score"))
    start, stop = parse_segment(where, fields.get("segment"))
    label = parse_name(where, "label", fields.get("label"))
    return Detection(parse_name(where, "video_id", video_id), label, score, start, stop)


def _has_usual_form(item: Any) -> bool:
    """Whether a detection has the usual form. Any other is checked more slowly, by functions that say what is wrong."""
    try:
        label, score, (start, stop) = item["label"], item["score"], item["segment"]
    except (TypeError, KeyError, ValueError):
        return False
    return (
        type(label) is str
        and 0 < len(label) <= MAX_NAME
        and type(score) is type(start) is type(stop) is float
        and math.isfinite(score)
        and -MAX_SECONDS <= start <= stop <= MAX_SECONDS
    )
