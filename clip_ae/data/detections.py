"""Detections in ActivityNet's submission form or as a table, and the records of JSON outputs."""

import json
from collections import defaultdict
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
DETECTION_COLUMNS = ("video_id", "label", "score", "start", "stop")


def write_detections(path: Path, detections: Iterable[Detection], provenance: Provenance) -> None:
    """Videos by id; a video's detections by falling score, then label and time."""
    results: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for d in sorted(map(_rounded, detections), key=lambda d: (d.video_id, -d.score, d.label, d.start, d.stop)):
        results[d.video_id].append({"label": d.label, "score": d.score, "segment": [d.start, d.stop]})
    write_json(
        path, {"version": SUBMISSION_VERSION, "results": results, "external_data": {"provenance": asdict(provenance)}}
    )


def read_detections(path: Path) -> list[Detection]:
    """A submission, or a Parquet table of video_id, label, score, start and stop."""
    if path.suffix == ".parquet":
        return _table(path)
    results = read_json_object(path).get("results")
    if not isinstance(results, dict):
        raise UserError(f'{path}: no "results"; expected ActivityNet\'s submission form')
    found = []
    for video_id, listed in results.items():
        if not isinstance(listed, list):
            raise UserError(f"{path}: video '{video_id}': detections are no list")
        found += [_detection(f"{path}: video '{video_id}', detection {i}", video_id, d) for i, d in enumerate(listed)]
    return found


def write_json(path: Path, content: dict[str, Any]) -> None:
    """One text for one content: sorted keys, and never a nan."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json_object(path: Path) -> dict[str, Any]:
    content = load_json(path, "file")
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys and values")
    return content


def read_json_provenance(path: Path) -> Provenance:
    """The record under `provenance`, at the top or where a submission keeps it."""
    content = read_json_object(path)
    holder = content if "provenance" in content else content.get("external_data")
    try:
        return Provenance.from_dict(holder["provenance"])  # type: ignore[index]
    except (TypeError, KeyError):
        raise UserError(f"{path}: carries no provenance; make it again with this project") from None
    except ValueError as error:
        raise UserError(f"{path}: {error}; make it again") from None


def _rounded(d: Detection) -> Detection:
    return Detection(d.video_id, d.label, *(round(float(v), DECIMALS) for v in (d.score, d.start, d.stop)))


def _table(path: Path) -> list[Detection]:
    rows = read_rows(path)
    lost = [column for column in DETECTION_COLUMNS if rows and column not in rows[0]]
    if lost:
        raise UserError(f"{path}: no column {', '.join(lost)}; expected {', '.join(DETECTION_COLUMNS)}")
    return [
        _detection(f"{path}: row {i}", row["video_id"], {**row, "segment": (row["start"], row["stop"])})
        for i, row in enumerate(rows)
    ]


def _detection(where: str, video_id: Any, item: Any) -> Detection:
    held = item if isinstance(item, dict) else {}
    score = parse_number(f"{where}: score", held.get("score"))
    start, stop = parse_segment(where, held.get("segment"))
    return Detection(
        parse_name(where, "video_id", video_id), parse_name(where, "label", held.get("label")), score, start, stop
    )
