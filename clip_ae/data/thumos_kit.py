"""THUMOS14's own annotation files: a text file a class and subset, a line an instance: video, start, end in seconds."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError
from clip_ae.data.json_values import read_text

# Not the hidden files that other systems put beside.
FILE_NAME_PATTERN = re.compile(r"[^.].*_(val|test)\.txt")
SUBSET_NAMES = {"val": "validation", "test": "test"}


def read_thumos_kit(kit_dir: Path) -> dict[str, Any]:
    """The database that an ActivityNet-form file of the same annotations would have."""
    database: dict[str, Any] = {}
    for path in _files(kit_dir).values():
        label, subset = _named(path)
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
    """(video, [start, end]) of each line."""
    for number, line in enumerate(read_text(path, "annotations").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            video_id, start, stop = words
            yield video_id, [float(start), float(stop)]
        except ValueError:
            raise UserError(
                f"{path}, line {number}: expected a video, a start and an end, got '{line.strip()}'"
            ) from None


def _files(folder: Path) -> dict[str, Path]:
    """By name, at any depth: the two subsets come in archives of their own. Twice the same would count twice."""
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*.txt") if FILE_NAME_PATTERN.fullmatch(path.name)):
        if path.name in found:
            raise UserError(f"{found[path.name]} and {path} have one name; keep one of them")
        found[path.name] = path
    return dict(sorted(found.items()))


def _named(path: Path) -> tuple[str, str]:
    label, _, subset = path.stem.rpartition("_")
    return label, SUBSET_NAMES[subset]
