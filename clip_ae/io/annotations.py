"""Annotations in ActivityNet's form, or the THUMOS14 kit's, read strictly: what is wrong is named by file and video.

Standard library only, because the workflow reads subsets every time it is parsed.
"""

import json
import math
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError, nearest
from clip_ae.core.provenance import digest
from clip_ae.core.types import Annotation, Instance
from clip_ae.core.video_lists import VIDEO_LISTS, listed
from clip_ae.io.files import read_lines
from clip_ae.io.json_pairs import unique
from clip_ae.io.thumos_kit import read_kit

# THUMOS14's word for spans that are no clear action: never a class.
AMBIGUOUS = "Ambiguous"


def read_annotations(path: Path) -> dict[str, Annotation]:
    """Every video's subset and action instances, in seconds."""
    return {i: _annotation(f"{path}: video '{i}'", entry) for i, entry in _database(path).items()}


def read_subsets(path: Path) -> dict[str, str]:
    """Every video's subset, and nothing of what happens in it."""
    return {i: _subset(f"{path}: video '{i}'", entry) for i, entry in _database(path).items()}


def read_facts(path: Path) -> dict[str, tuple[str, float | None]]:
    """Every video's subset and the length that the file states, and nothing of what happens in it."""
    return {
        i: (_subset(f"{path}: video '{i}'", entry), _duration(f"{path}: video '{i}'", entry))
        for i, entry in _database(path).items()
    }


def source_digest(path: Path) -> str:
    """Of all that a file, or a folder of the THUMOS14 kit, says."""
    return digest(json.dumps(read_kit(path)) if path.is_dir() else path.read_text(encoding="utf-8"))


def ids_in(path: Path, subset: str) -> set[str]:
    """The videos of one subset; a subset that the file does not have is named beside those it has."""
    subsets = read_subsets(path)
    ids = {i for i, name in subsets.items() if name == subset}
    if not ids:
        raise UserError(f"{path}: no video is of subset '{subset}'{nearest(subset, set(subsets.values()))}")
    return ids


def scored_ids(path: Path, subset: str, videos: str | None) -> list[str]:
    """The videos of a subset, or those of them that a list of THUMOS14's, or a file with an id a line, names."""
    ids = sorted(ids_in(path, subset))
    if videos is None:
        return ids
    if videos in VIDEO_LISTS or not Path(videos).is_file():
        return listed(videos, ids, f"{path}, subset '{subset}'")
    wanted = set(read_lines(Path(videos)))
    for lost in sorted(wanted - set(ids)):
        raise UserError(f"{videos}: video '{lost}' is not in subset '{subset}' of {path}")
    if not wanted:
        raise UserError(f"{videos}: names no video; expected an id a line")
    return sorted(wanted)


def _database(path: Path) -> dict[str, Any]:
    """The videos of {"database": {id: ...}}, of the database itself, or of a folder of the THUMOS14 kit's files."""
    if path.is_dir():
        return read_kit(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot read the annotations ({error.strerror}); check the path") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a JSON file ({error})") from None
    if isinstance(data, dict) and "database" in data:
        data = data["database"]
    elif not isinstance(data, dict) or not all(isinstance(v, dict) and "subset" in v for v in data.values()):
        raise UserError(f'{path}: no "database" of videos; expected ActivityNet\'s form')
    if not isinstance(data, dict) or not data:
        raise UserError(f'{path}: "database" holds no videos')
    return data


def _annotation(where: str, entry: Any) -> Annotation:
    subset = _subset(where, entry)
    listed = entry.get("annotations", [])
    if not isinstance(listed, list):
        raise UserError(f'{where}: "annotations" is no list')
    spans = [_instance(f"{where}, annotation {i}", item) for i, item in enumerate(listed)]
    return Annotation(
        subset=subset,
        instances=tuple(i for i in spans if i.label != AMBIGUOUS),
        duration=_duration(where, entry),
        ambiguous=tuple((i.start, i.stop) for i in spans if i.label == AMBIGUOUS),
    )


def _subset(where: str, entry: Any) -> str:
    subset = entry.get("subset") if isinstance(entry, dict) else None
    if not isinstance(subset, str):
        raise UserError(f'{where}: has no "subset"')
    return subset


def _duration(where: str, entry: dict[str, Any]) -> float | None:
    duration = entry.get("duration")
    return None if duration is None else _seconds(f"{where}: duration", duration)


def _instance(where: str, item: Any) -> Instance:
    label = item.get("label") if isinstance(item, dict) else None
    if not isinstance(label, str) or not label:
        raise UserError(f'{where}: has no "label"')
    segment = item.get("segment")
    if not isinstance(segment, list) or len(segment) != 2:
        raise UserError(f"{where}: segment {json.dumps(segment)} is not [start, end]")
    start, stop = (_seconds(f"{where}: segment", value) for value in segment)
    if stop < start:
        raise UserError(f"{where}: segment ends at {stop:g} s, before its start at {start:g} s")
    return Instance(label, start, stop)


def _seconds(where: str, value: Any) -> float:
    """A finite number; some releases write numbers as text."""
    try:
        if isinstance(value, bool):
            raise ValueError
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{where}: {json.dumps(value)} is not a number of seconds") from None
    if not math.isfinite(seconds):
        raise UserError(f"{where}: {value} is not a finite number of seconds")
    return seconds
