"""curves.parquet: what a run attended to, snippet by snippet."""

from pathlib import Path
from typing import Any

from clip_ae.core.types import VideoCurves
from clip_ae.data.parquet import read_rows


def read_curves(path: Path) -> dict[str, VideoCurves]:
    """By video id, sorted."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in read_rows(path):
        rows.setdefault(row["video_id"], []).append(row | {"activation": dict(row["activation"])})
    return {video_id: _attended(found) for video_id, found in sorted(rows.items())}


def _attended(rows: list[dict[str, Any]]) -> VideoCurves:
    labels = rows[0]["activation"]
    return VideoCurves(
        [row["attention"] for row in rows], {label: [row["activation"][label] for row in rows] for label in labels}
    )
