"""Write and read detections in ActivityNet's submission form or as a table, and other JSON outputs."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import Detection
from clip_ae.data.json_values import load_json, parse_name, parse_number, parse_segment
from clip_ae.data.parquet import read_rows

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


def read_detections(path: Path) -> list[Detection]:
    """Read a submission, or a Parquet table of video_id, label, score, start and stop."""
    if path.suffix == ".parquet":
        return _read_detection_table(path)
    results = read_json_object(path).get("results")
    if not isinstance(results, dict):
        raise UserError(f'{path}: no "results"; expected ActivityNet\'s submission form')
    detections: list[Detection] = []
    for video_id, items in results.items():
        where = f"{path}: video '{video_id}'"
        if not isinstance(items, list):
            raise UserError(f"{where}: detections are not a list")
        detections += [_parse_detection(f"{where}, detection {i}", video_id, item) for i, item in enumerate(items)]
    return detections


def read_localizer_facts(path: Path) -> dict[str, Any]:
    """`cut_from`, the curve that a run's detections were cut from, and `num_parameters` of the localizer."""
    external_data = read_json_object(path).get("external_data")
    facts = external_data if isinstance(external_data, dict) else {}
    cut_from, num_parameters = facts.get("cut_from"), facts.get("num_parameters")
    if not isinstance(cut_from, dict) or not isinstance(num_parameters, int):
        raise UserError(
            f"{path}: does not say which curve it was cut from and how large the localizer is; run localize again"
        )
    return {"cut_from": cut_from, "num_parameters": num_parameters}


def read_videos_without_features(path: Path) -> list[str]:
    """The test videos that a run could not localize, because a stream lacks them; none in another's submission."""
    external_data = {} if path.suffix == ".parquet" else read_json_object(path).get("external_data")
    videos = external_data.get(WITHOUT_FEATURES, []) if isinstance(external_data, dict) else []
    if not isinstance(videos, list):
        raise UserError(f"{path}: external_data.{WITHOUT_FEATURES} is not a list of videos")
    return [parse_name(f"{path}: external_data.{WITHOUT_FEATURES}", "video", video) for video in videos]


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


def _read_detection_table(path: Path) -> list[Detection]:
    rows = read_rows(path)
    missing = [column for column in DETECTION_COLUMNS if rows and column not in rows[0]]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; expected {', '.join(DETECTION_COLUMNS)}")
    return [
        _parse_detection(f"{path}: row {i}", row["video_id"], {**row, "segment": (row["start"], row["stop"])})
        for i, row in enumerate(rows)
    ]


def _parse_detection(where: str, video_id: Any, item: Any) -> Detection:
    fields = item if isinstance(item, dict) else {}
    score = parse_number(f"{where}: score", fields.get("score"))
    start, stop = parse_segment(where, fields.get("segment"))
    label = parse_name(where, "label", fields.get("label"))
    return Detection(parse_name(where, "video_id", video_id), label, score, start, stop)
