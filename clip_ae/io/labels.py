"""Pseudo-labels: each training video's cluster."""

from pathlib import Path

from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Record
from clip_ae.io.parquet import LABELS, read_rows, write_rows


def write_labels(path: Path, clusters: dict[str, int], record: Record) -> None:
    rows = [{"video_id": i, "cluster": cluster} for i, cluster in sorted(clusters.items())]
    write_rows(path, LABELS, rows, record)


def read_labels(path: Path) -> dict[str, int]:
    if not path.is_file():
        raise UserError(f"{path}: no such labels; cluster the training videos first")
    return {row["video_id"]: row["cluster"] for row in read_rows(path)}
