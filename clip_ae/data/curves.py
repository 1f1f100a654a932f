"""Read curves.parquet: a run's attention and class activations for each snippet."""

from pathlib import Path
from typing import Any

from clip_ae.core.types import VideoCurves
from clip_ae.data.parquet import read_rows


def read_curves(path: Path) -> dict[str, VideoCurves]:
    """Return the curves by video id, sorted."""
    rows_by_video: dict[str, list[dict[str, Any]]] = {}
    for row in read_rows(path):
        rows_by_video.setdefault(row["video_id"], []).append(row | {"activation": dict(row["activation"])})
    return {video_id: _collect_curves(rows) for video_id, rows in sorted(rows_by_video.items())}


def _collect_curves(rows: list[dict[str, Any]]) -> VideoCurves:
    labels = rows[0]["activation"]
    return VideoCurves(
        [row["attention"] for row in rows], {label: [row["activation"][label] for row in rows] for label in labels}
    )
