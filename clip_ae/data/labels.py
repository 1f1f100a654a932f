"""What the training videos are learnt as: clusters, or classes that the annotations tell."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq

from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Record
from clip_ae.core.types import Label
from clip_ae.data.parquet import LABELS, read_rows, readable, write_rows

CURVE = "silhouettes"


def write_labels(path: Path, labels: Iterable[Label], record: Record, curve: Mapping[int, float] | None = None) -> None:
    """The curve: of every number of clusters that was tried, how well it separates the videos."""
    rows = (asdict(label) for label in sorted(labels, key=lambda x: (x.video_id, x.cluster)))
    write_rows(path, LABELS, rows, record, {CURVE: json.dumps(curve)} if curve else None)


def read_curve(path: Path) -> dict[int, float]:
    """What the number of clusters was chosen by; nothing where it was told."""
    with readable(path):
        text = pq.read_schema(path).metadata.get(CURVE.encode(), b"{}")
        return {int(number): float(value) for number, value in json.loads(text).items()}


def read_labels(path: Path) -> list[Label]:
    if not path.is_file():
        raise UserError(f"{path}: no such labels; cluster the training videos first")
    with readable(path):
        return [Label(**{**row, "segments": tuple(map(tuple, row["segments"]))}) for row in read_rows(path)]
