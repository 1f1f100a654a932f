"""Annotations as a folder of npy files, an element a video: the form that W-TALC's code began and others read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError
from clip_ae.data.pickles import read_npy_objects
from clip_ae.data.thumos_kit import read_instances

REQUIRED_COLUMNS = ("videoname", "subset", "segments", "labels")
DURATION_COLUMN = "duration"


def read_npy_annotations(annotations_dir: Path) -> dict[str, Any]:
    """The database that an ActivityNet-form file of the same annotations would have."""
    columns = {name: _column(annotations_dir, name) for name in _names(annotations_dir)}
    for name, column in columns.items():
        if len(column) != len(columns["videoname"]):
            lengths = f"{len(column)} elements where videoname.npy has {len(columns['videoname'])}"
            raise UserError(f"{annotations_dir / name}.npy: {lengths}; these are not of one set")
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    database = {_text(row["videoname"]): _entry(annotations_dir, row) for row in rows}
    for video_id, segment in _unclear(annotations_dir):
        entry = database.setdefault(video_id, {"subset": "test", "annotations": []})
        entry["annotations"].append({"label": "Ambiguous", "segment": segment})
    return database


def _names(folder: Path) -> tuple[str, ...]:
    return (*REQUIRED_COLUMNS, DURATION_COLUMN) if (folder / f"{DURATION_COLUMN}.npy").is_file() else REQUIRED_COLUMNS


def _column(folder: Path, name: str) -> list[Any]:
    path = folder / f"{name}.npy"
    if not path.is_file():
        raise UserError(f"{path}: no such file; a set of npy annotations has {', '.join(REQUIRED_COLUMNS)}")
    return read_npy_objects(path)


def _entry(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    segments, labels = row["segments"], row["labels"]
    if not isinstance(segments, list) or not isinstance(labels, list) or len(segments) != len(labels):
        raise UserError(f"{folder}: video '{_text(row['videoname'])}': expected a label for each segment")
    listed = [{"label": _text(label), "segment": segment} for segment, label in zip(segments, labels, strict=True)]
    stated = {DURATION_COLUMN: _number(row[DURATION_COLUMN])} if DURATION_COLUMN in row else {}
    return {"subset": _text(row["subset"]), "annotations": listed, **stated}


def _unclear(folder: Path) -> Iterator[tuple[str, list[float]]]:
    """The kit's own list of what is no clear action, which lies beside the set as it is."""
    path = folder / "Ambiguous_test.txt"
    return read_instances(path) if path.is_file() else iter(())


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _number(value: Any) -> Any:
    """Some sets have rows of one number."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
