"""Examples of classes: trimmed clips in a folder a class, or segments that an annotation file names."""

from dataclasses import dataclass
from pathlib import Path

from clip_ae.core.errors import UserError
from clip_ae.core.types import Instance
from clip_ae.data import source_folder
from clip_ae.data.annotations import annotations_digest, read_annotations


@dataclass(frozen=True)
class SupportExample:
    """A video that shows a class: within an instance, or all through."""

    label: str
    path: Path
    instance: Instance | None = None


def read_support_examples(support_path: Path, videos_dir: Path) -> list[SupportExample]:
    """By class; the videos of segments lie in `videos`."""
    if not support_path.exists():
        raise UserError(f"--support {support_path}: no such folder or file")
    found = _clips(support_path) if support_path.is_dir() else _segments(support_path, videos_dir)
    _check_names(support_path, sorted({example.label for example in found}))
    return sorted(found, key=lambda e: (e.label, str(e.path), e.instance.start if e.instance else 0.0))


def support_digest(support_path: Path, examples: list[SupportExample]) -> str:
    """Of all that is shown: what an annotation file says, or which clips there are."""
    if not support_path.is_dir():
        return annotations_digest(support_path)
    return source_folder.files_digest(
        support_path, [str(example.path.relative_to(support_path)) for example in examples], with_mtime=False
    )


def _clips(place: Path) -> list[SupportExample]:
    classes = [path for path in sorted(place.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    if not classes:
        raise UserError(f"--support {place}: no classes there; expected a folder a class, with clips that show it")
    hint = "; put a clip there that shows it, or take the folder away"
    return [
        SupportExample(source_folder.escape_undecodable(path.name), path / clip)
        for path in classes
        for clip in source_folder.list_videos(path, hint).values()
    ]


def _segments(place: Path, videos: Path) -> list[SupportExample]:
    shown = {i: a.instances for i, a in read_annotations(place).items() if a.instances}
    if not shown:
        raise UserError(f"--support {place}: no classes there; none of its videos has a segment")
    listing = source_folder.list_videos(videos)
    for lost in sorted(shown.keys() - listing.keys()):
        raise UserError(f"--support {place}: video '{lost}' is not in {videos}; name its folder by --support-videos")
    return [
        SupportExample(instance.label, videos / listing[i], instance)
        for i, found in shown.items()
        for instance in found
    ]


def _check_names(place: Path, names: list[str]) -> None:
    """One class under two names would be two that are alike."""
    known: dict[str, str] = {}
    for name in names:
        key = " ".join(name.casefold().split())
        if key in known:
            twins = f"'{known[key]}' and '{name}'"
            raise UserError(f"--support {place}: {twins} differ in capitals and spaces alone; give a class one name")
        known[key] = name
