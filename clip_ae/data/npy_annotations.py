"""Read annotations from a folder of npy files with one element for each video: the form of W-TALC's code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError
from clip_ae.data.pickles import read_npy_objects
from clip_ae.data.thumos_kit import read_instances

REQUIRED_COLUMNS = ("videoname", "subset", "segments", "labels")
DURATION_COLUMN = "duration"


def read_npy_annotations(annotations_dir: Path) -> dict[str, Any]:
    """Return the database that an ActivityNet-form file of the same annotations would have."""
    columns = {name: _read_column(annotations_dir, name) for name in _column_names(annotations_dir)}
    for name, column in columns.items():
        if len(column) != len(columns["videoname"]):
            lengths = f"{len(column)} elements where videoname.npy has {len(columns['videoname'])}"
            raise UserError(f"{annotations_dir / name}.npy: {lengths}; the files are not of one set")
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    database = {_decode_text(row["videoname"]): _make_entry(annotations_dir, row) for row in rows}
    for video_id, segment in _read_ambiguous(annotations_dir):
        entry = database.setdefault(video_id, {"subset": "test", "annotations": []})
        entry["annotations"].append({"label": "Ambiguous", "segment": segment})
    return database


def _column_names(annotations_dir: Path) -> tuple[str, ...]:
    has_durations = (annotations_dir / f"{DURATION_COLUMN}.npy").is_file()
    return (*REQUIRED_COLUMNS, DURATION_COLUMN) if has_durations else REQUIRED_COLUMNS


def _read_column(annotations_dir: Path, name: str) -> list[Any]:
    path = annotations_dir / f"{name}.npy"
    if not path.is_file():
        raise UserError(f"{path}: no such file; a set of npy annotations has {', '.join(REQUIRED_COLUMNS)}")
    return read_npy_objects(path)


def _make_entry(annotations_dir: Path, row: dict[str, Any]) -> dict[str, Any]:
    segments, labels = row["segments"], row["labels"]
    if not isinstance(segments, list) or not isinstance(labels, list) or len(segments) != len(labels):
        video_id = _decode_text(row["videoname"])
        raise UserError(f"{annotations_dir}: video '{video_id}': expected a label for each segment")
    annotations = [
        {"label": _decode_text(label), "segment": segment} for segment, label in zip(segments, labels, strict=True)
    ]
    duration = {DURATION_COLUMN: _unwrap_number(row[DURATION_COLUMN])} if DURATION_COLUMN in row else {}
    return {"subset": _decode_text(row["subset"]), "annotations": annotations, **duration}


def _read_ambiguous(annotations_dir: Path) -> Iterator[tuple[str, list[float]]]:
    """Yield (video, [start, end]) of THUMOS14's list of ambiguous spans, an optional file of its own in the folder."""
    path = annotations_dir / "Ambiguous_test.txt"
    return read_instances(path) if path.is_file() else iter(())


def _decode_text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _unwrap_number(value: Any) -> Any:
    """Return the number in a list of one: some sets have rows of one number."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
