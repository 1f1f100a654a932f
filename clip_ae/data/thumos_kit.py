"""Read THUMOS14's own annotation files: one text file for each class and subset.

A line is one instance: video, start and end in seconds.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError
from clip_ae.data.json_values import read_text

# Without the hidden files that some systems add.
FILE_NAME_PATTERN = re.compile(r"[^.].*_(val|test)\.txt")
SUBSET_NAMES = {"val": "validation", "test": "test"}


def read_thumos_kit(kit_dir: Path) -> dict[str, Any]:
    """Return the database that an ActivityNet-form file of the same annotations would have."""
    database: dict[str, Any] = {}
    for path in _find_files(kit_dir):
        label, subset = _parse_file_name(path)
        for video_id, segment in read_instances(path):
            entry = database.setdefault(video_id, {"subset": subset, "annotations": []})
            if entry["subset"] != subset:
                raise UserError(f"{path}: video '{video_id}' is of subset {entry['subset']} in another file")
            entry["annotations"].append({"label": label, "segment": segment})
    if not database:
        raise UserError(
            f"{kit_dir}: no file CLASS_val.txt or CLASS_test.txt with a line in it, as the THUMOS14 kit has them"
        )
    return database


def read_instances(path: Path) -> Iterator[tuple[str, list[float]]]:
    """Yield (video, [start, end]) of each line."""
    for number, line in enumerate(read_text(path, "annotations").splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        try:
            video_id, start, stop = fields
            yield video_id, [float(start), float(stop)]
        except ValueError:
            raise UserError(
                f"{path}, line {number}: expected a video, a start and an end, got '{line.strip()}'"
            ) from None


def _find_files(kit_dir: Path) -> list[Path]:
    """Return the annotation files at any depth (each subset has an archive of its own), sorted by name.

    UserError if a name occurs twice: its actions would count twice.
    """
    paths_by_name: dict[str, Path] = {}
    for path in sorted(path for path in kit_dir.rglob("*.txt") if FILE_NAME_PATTERN.fullmatch(path.name)):
        if path.name in paths_by_name:
            raise UserError(f"{paths_by_name[path.name]} and {path} have the same name; keep one of them")
        paths_by_name[path.name] = path
    return [path for _, path in sorted(paths_by_name.items())]


def _parse_file_name(path: Path) -> tuple[str, str]:
    """Return (class, subset)."""
    label, _, subset = path.stem.rpartition("_")
    return label, SUBSET_NAMES[subset]
