"""Annotations in ActivityNet's form, the THUMOS14 kit's or W-TALC's, read strictly: what is wrong is named.

Standard library only, but for npy files, because the workflow reads subsets every time it is parsed.
"""

import json
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError, suggest_name
from clip_ae.core.provenance import digest
from clip_ae.core.types import Annotation, Instance
from clip_ae.core.video_lists import VIDEO_LISTS, select_listed_videos
from clip_ae.data.json_values import load_json, parse_name, parse_number, parse_segment, read_text
from clip_ae.data.thumos_kit import read_thumos_kit

# THUMOS14's word for spans that are no clear action: never a class.
AMBIGUOUS_LABEL = "Ambiguous"


def read_annotations(path: Path) -> dict[str, Annotation]:
    """Every video's subset and action instances, in seconds."""
    return {i: _annotation(f"{path}: video '{i}'", entry) for i, entry in _database(path).items()}


def read_subsets(path: Path) -> dict[str, str]:
    """Every video's subset, and nothing of what happens in it."""
    return {i: _subset(f"{path}: video '{i}'", entry) for i, entry in _database(path).items()}


def read_annotation_facts(path: Path) -> dict[str, tuple[str, float | None]]:
    """Every video's subset and the length that the file states, and nothing of what happens in it."""
    return {
        i: (_subset(f"{path}: video '{i}'", entry), _duration(f"{path}: video '{i}'", entry))
        for i, entry in _database(path).items()
    }


def annotations_digest(path: Path) -> str:
    """Of all that a file, or a folder of several, says."""
    return digest(json.dumps(_folder(path)) if path.is_dir() else read_text(path, "annotations"))


def read_subset_ids(path: Path, subset: str) -> set[str]:
    """The videos of one subset; a subset that the file does not have is named beside those it has."""
    subsets = read_subsets(path)
    ids = {i for i, name in subsets.items() if name == subset}
    if not ids:
        raise UserError(f"{path}: no video is of subset '{subset}'{suggest_name(subset, set(subsets.values()))}")
    return ids


def read_subset_annotations(path: Path, subset: str) -> dict[str, Annotation]:
    """Of one subset's videos all that is annotated."""
    ids = read_subset_ids(path, subset)
    return {i: annotation for i, annotation in read_annotations(path).items() if i in ids}


def read_evaluated_ids(path: Path, subset: str, video_list: str | None) -> list[str]:
    """The videos of a subset, or those of them that a list of THUMOS14's, or a file with an id a line, names."""
    ids = sorted(read_subset_ids(path, subset))
    if video_list is None:
        return ids
    if video_list in VIDEO_LISTS or not Path(video_list).is_file():
        return select_listed_videos(video_list, ids, f"{path}, subset '{subset}'")
    wanted = {line.strip() for line in read_text(Path(video_list), "list of videos").splitlines()} - {""}
    for lost in sorted(wanted - set(ids)):
        raise UserError(f"{video_list}: video '{lost}' is not in subset '{subset}' of {path}")
    if not wanted:
        raise UserError(f"{video_list}: names no video; expected an id a line")
    return sorted(wanted)


def _database(path: Path) -> dict[str, Any]:
    """The videos of {"database": {id: ...}}, of the database itself, or of a folder of files."""
    if path.is_dir():
        return _folder(path)
    data = load_json(path, "annotations")
    if isinstance(data, dict) and "database" in data:
        data = data["database"]
    elif not isinstance(data, dict) or not all(isinstance(v, dict) and "subset" in v for v in data.values()):
        raise UserError(f'{path}: no "database" of videos; expected ActivityNet\'s form')
    if not isinstance(data, dict) or not data:
        raise UserError(f'{path}: "database" holds no videos')
    return data


def _folder(path: Path) -> dict[str, Any]:
    """The THUMOS14 kit's text files, or npy files."""
    if not (path / "segments.npy").is_file():
        return read_thumos_kit(path)
    from clip_ae.data.npy_annotations import read_npy_annotations

    return read_npy_annotations(path)


def _annotation(where: str, entry: Any) -> Annotation:
    subset = _subset(where, entry)
    listed = entry.get("annotations", [])
    if not isinstance(listed, list):
        raise UserError(f'{where}: "annotations" is no list')
    spans = [_instance(f"{where}, annotation {i}", item) for i, item in enumerate(listed)]
    return Annotation(
        subset=subset,
        instances=tuple(i for i in spans if i.label != AMBIGUOUS_LABEL),
        duration=_duration(where, entry),
        ambiguous=tuple((i.start, i.stop) for i in spans if i.label == AMBIGUOUS_LABEL),
    )


def _subset(where: str, entry: Any) -> str:
    subset = entry.get("subset") if isinstance(entry, dict) else None
    if not isinstance(subset, str):
        raise UserError(f'{where}: has no "subset"')
    return subset


def _duration(where: str, entry: dict[str, Any]) -> float | None:
    duration = entry.get("duration")
    return None if duration is None else parse_number(f"{where}: duration", duration)


def _instance(where: str, item: Any) -> Instance:
    held = item if isinstance(item, dict) else {}
    return Instance(parse_name(where, "label", held.get("label")), *parse_segment(where, held.get("segment")))
