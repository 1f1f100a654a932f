"""What the training videos are learnt as: clusters, or classes that the annotations tell."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Record
from clip_ae.core.types import Label
from clip_ae.io.parquet import LABELS, read_rows, readable, write_rows


def write_labels(path: Path, labels: Iterable[Label], record: Record) -> None:
    write_rows(path, LABELS, (asdict(label) for label in sorted(labels, key=lambda x: (x.video_id, x.cluster))), record)


def read_labels(path: Path) -> list[Label]:
    if not path.is_file():
        raise UserError(f"{path}: no such labels; cluster the training videos first")
    with readable(path):
        return [Label(**{**row, "segments": tuple(map(tuple, row["segments"]))}) for row in read_rows(path)]
