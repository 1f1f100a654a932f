"""What the training videos are learnt as: clusters, or classes that the annotations tell."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq

from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import Label
from clip_ae.data.parquet import LABELS_SCHEMA, read_rows, report_table_errors, write_rows

SILHOUETTES_KEY = "silhouettes"


def write_labels(
    path: Path, labels: Iterable[Label], provenance: Provenance, silhouettes: Mapping[int, float] | None = None
) -> None:
    """The curve: of every number of clusters that was tried, how well it separates the videos."""
    rows = (asdict(label) for label in sorted(labels, key=lambda x: (x.video_id, x.cluster)))
    write_rows(
        path, LABELS_SCHEMA, rows, provenance, {SILHOUETTES_KEY: json.dumps(silhouettes)} if silhouettes else None
    )


def read_silhouettes(path: Path) -> dict[int, float]:
    """What the number of clusters was chosen by; nothing where it was told."""
    with report_table_errors(path):
        text = pq.read_schema(path).metadata.get(SILHOUETTES_KEY.encode(), b"{}")
        return {int(number): float(value) for number, value in json.loads(text).items()}


def read_labels(path: Path) -> list[Label]:
    if not path.is_file():
        raise UserError(f"{path}: no such labels; cluster the training videos first")
    with report_table_errors(path):
        return [Label(**{**row, "segments": tuple(map(tuple, row["segments"]))}) for row in read_rows(path)]
