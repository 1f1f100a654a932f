"""Write and read the labels of training videos: clusters, or annotated classes for weak and full supervision."""

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
    """Write the labels, sorted. `silhouettes` has the silhouette score of each number of clusters that was tried."""
    rows = (asdict(label) for label in sorted(labels, key=lambda x: (x.video_id, x.cluster)))
    metadata = {SILHOUETTES_KEY: json.dumps(silhouettes)} if silhouettes else None
    write_rows(path, LABELS_SCHEMA, rows, provenance, metadata)


def read_silhouettes(path: Path) -> dict[int, float]:
    """Return the silhouette score of each number of clusters that was tried; empty if the config set the number."""
    with report_table_errors(path):
        text = pq.read_schema(path).metadata.get(SILHOUETTES_KEY.encode(), b"{}")
        return {int(number): float(value) for number, value in json.loads(text).items()}


def read_labels(path: Path) -> list[Label]:
    """Read the labels of labels.parquet."""
    if not path.is_file():
        raise UserError(f"{path}: no such labels; cluster the training videos first")
    with report_table_errors(path):
        return [Label(**{**row, "segments": tuple(map(tuple, row["segments"]))}) for row in read_rows(path)]
