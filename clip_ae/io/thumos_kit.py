"""THUMOS14's own annotation files: a text file a class and subset, a line an instance: video, start, end in seconds."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError

NAME = re.compile(r"(?P<label>.+)_(?P<subset>val|test)\.txt")
SUBSETS = {"val": "validation", "test": "test"}


def read_kit(folder: Path) -> dict[str, Any]:
    """The database that an ActivityNet-form file of the same annotations would have."""
    files = [(match, path) for path in sorted(folder.iterdir()) if (match := NAME.fullmatch(path.name))]
    database: dict[str, Any] = {}
    for match, path in files:
        for video_id, segment in _instances(path):
            entry = database.setdefault(video_id, {"subset": SUBSETS[match["subset"]], "annotations": []})
            entry["annotations"].append({"label": match["label"], "segment": segment})
    if not database:
        raise UserError(
            f"{folder}: no file CLASS_val.txt or CLASS_test.txt with a line in it, as the THUMOS14 kit has them"
        )
    return database


def _instances(path: Path) -> Iterator[tuple[str, list[float]]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
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
