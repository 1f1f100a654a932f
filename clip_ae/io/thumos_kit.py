"""THUMOS14's own annotation files: a text file a class and subset, a line an instance: video, start, end in seconds."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError
from clip_ae.io.json_values import read_text

NAME = re.compile(r"(?P<label>.+)_(?P<subset>val|test)\.txt")
SUBSETS = {"val": "validation", "test": "test"}


def read_kit(folder: Path) -> dict[str, Any]:
    """The database that an ActivityNet-form file of the same annotations would have."""
    database: dict[str, Any] = {}
    for match, path in _files(folder):
        subset = SUBSETS[match["subset"]]
        for video_id, segment in _instances(path):
            entry = database.setdefault(video_id, {"subset": subset, "annotations": []})
            if entry["subset"] != subset:
                raise UserError(f"{path}: video '{video_id}' is of subset {entry['subset']} in another file")
            entry["annotations"].append({"label": match["label"], "segment": segment})
    if not database:
        raise UserError(
            f"{folder}: no file CLASS_val.txt or CLASS_test.txt with a line in it, as the THUMOS14 kit has them"
        )
    return database


def _files(folder: Path) -> list[tuple[re.Match[str], Path]]:
    try:
        return [(match, path) for path in sorted(folder.iterdir()) if (match := NAME.fullmatch(path.name))]
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}); check the path") from None


def _instances(path: Path) -> Iterator[tuple[str, list[float]]]:
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
