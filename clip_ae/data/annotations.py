"""Read annotations in the form of ActivityNet, of the THUMOS14 kit or of W-TALC; an error names what is wrong.

Standard library only, except for npy files: the workflow reads subsets each time that it is parsed.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError, suggest_name
from clip_ae.core.provenance import digest
from clip_ae.core.types import Annotation, Instance
from clip_ae.core.video_lists import VIDEO_LISTS, select_listed_videos
from clip_ae.data.json_values import load_json, parse_name, parse_seconds, parse_segment, read_text
from clip_ae.data.thumos_kit import read_thumos_kit

# THUMOS14's label for spans that are not clearly an action: never a class.
AMBIGUOUS_LABEL = "Ambiguous"


def read_annotations(path: Path) -> dict[str, Annotation]:
    """Return each video's subset, duration and action instances, by video id; times in seconds."""
    return {i: _parse_annotation(_describe(path, i), entry) for i, entry in _read_database(path).items()}


def read_subsets(path: Path) -> dict[str, str]:
    """Return each video's subset, by video id; actions are not read."""
    return {i: _parse_subset(_describe(path, i), entry) for i, entry in _read_database(path).items()}


def read_annotation_facts(path: Path) -> dict[str, tuple[str, float | None]]:
    """Return each video's (subset, stated duration in seconds or None), by video id; actions are not read."""
    return {
        i: (_parse_subset(_describe(path, i), entry), _parse_duration(_describe(path, i), entry))
        for i, entry in _read_database(path).items()
    }


def annotations_digest(path: Path) -> str:
    """Return the digest of all annotations in a file, or in a folder of files."""
    return digest(json.dumps(_read_folder(path)) if path.is_dir() else read_text(path, "annotations"))


def read_subset_ids(path: Path, subset: str) -> set[str]:
    """Return the ids of the videos of one subset; UserError with the names of the subsets if there are none."""
    subsets = read_subsets(path)
    _check_subset(path, subset, subsets.values())
    return {i for i, name in subsets.items() if name == subset}


def read_subset_annotations(path: Path, subset: str) -> dict[str, Annotation]:
    """Return the annotations of the videos of one subset, by video id; UserError as in read_subset_ids."""
    annotations = read_annotations(path)
    _check_subset(path, subset, [annotation.subset for annotation in annotations.values()])
    return {i: annotation for i, annotation in annotations.items() if annotation.subset == subset}


def read_evaluated_ids(path: Path, subset: str, video_list: str | None) -> list[str]:
    """Return the sorted ids of the videos of a subset that are scored.

    `video_list` selects from the subset: a named list of THUMOS14, or a file with one id on each line.
    """
    ids = sorted(read_subset_ids(path, subset))
    if video_list is None:
        return ids
    if video_list in VIDEO_LISTS or not Path(video_list).is_file():
        return select_listed_videos(video_list, ids, f"{path}, subset '{subset}'")
    listed_ids = {line.strip() for line in read_text(Path(video_list), "list of videos").splitlines()} - {""}
    for video_id in sorted(listed_ids - set(ids)):
        raise UserError(f"{video_list}: video '{video_id}' is not in subset '{subset}' of {path}")
    if not listed_ids:
        raise UserError(f"{video_list}: names no video; expected one id on each line")
    return sorted(listed_ids)


def _check_subset(path: Path, subset: str, names: Collection[str]) -> None:
    if subset not in names:
        raise UserError(f"{path}: no video is of subset '{subset}'{suggest_name(subset, set(names))}")


def _describe(path: Path, video_id: str) -> str:
    return f"{path}: video '{video_id}'"


def _read_database(path: Path) -> dict[str, Any]:
    """Return the entries by video id, of {"database": {id: ...}}, of the database alone, or of a folder of files."""
    if path.is_dir():
        return _read_folder(path)
    data = load_json(path, "annotations")
    if isinstance(data, dict) and "database" in data:
        data = data["database"]
    elif not isinstance(data, dict) or not all(isinstance(v, dict) and "subset" in v for v in data.values()):
        raise UserError(f'{path}: no "database" of videos; expected ActivityNet\'s form')
    if not isinstance(data, dict) or not data:
        raise UserError(f'{path}: "database" contains no videos')
    return data


def _read_folder(path: Path) -> dict[str, Any]:
    """Read the THUMOS14 kit's text files, or npy files."""
    if not (path / "segments.npy").is_file():
        return read_thumos_kit(path)
    from clip_ae.data.npy_annotations import read_npy_annotations

    return read_npy_annotations(path)


def _parse_annotation(where: str, entry: Any) -> Annotation:
    subset = _parse_subset(where, entry)
    items = entry.get("annotations", [])
    if not isinstance(items, list):
        raise UserError(f'{where}: "annotations" is not a list')
    instances = [_parse_instance(f"{where}, annotation {i}", item) for i, item in enumerate(items)]
    return Annotation(
        subset=subset,
        instances=tuple(i for i in instances if i.label != AMBIGUOUS_LABEL),
        duration=_parse_duration(where, entry),
        ambiguous=tuple((i.start, i.stop) for i in instances if i.label == AMBIGUOUS_LABEL),
    )


def _parse_subset(where: str, entry: Any) -> str:
    subset = entry.get("subset") if isinstance(entry, dict) else None
    if not isinstance(subset, str):
        raise UserError(f'{where}: has no "subset"')
    return subset


def _parse_duration(where: str, entry: dict[str, Any]) -> float | None:
    duration = entry.get("duration")
    return None if duration is None else parse_seconds(f"{where}: duration", duration)


def _parse_instance(where: str, item: Any) -> Instance:
    fields = item if isinstance(item, dict) else {}
    return Instance(parse_name(where, "label", fields.get("label")), *parse_segment(where, fields.get("segment")))
