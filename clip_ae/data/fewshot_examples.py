"""Read support examples of classes: trimmed clips, one folder for each class, or segments in an annotation file."""

from dataclasses import dataclass
from pathlib import Path

from clip_ae.core.errors import UserError
from clip_ae.core.types import Instance
from clip_ae.data import source_folder
from clip_ae.data.annotations import annotations_digest, read_annotations


@dataclass(frozen=True)
class SupportExample:
    """A video that shows a class: in the segment of `instance`, or in its whole length if that is None."""

    label: str
    path: Path
    instance: Instance | None = None


def read_support_examples(support_path: Path, videos_dir: Path) -> list[SupportExample]:
    """Return the examples, sorted by class. `videos_dir` contains the videos of the segments of an annotation file."""
    if not support_path.exists():
        raise UserError(f"--support {support_path}: no such folder or file; check the path")
    examples = _read_clips(support_path) if support_path.is_dir() else _read_segments(support_path, videos_dir)
    _check_class_names(support_path, sorted({example.label for example in examples}))
    return sorted(examples, key=lambda e: (e.label, str(e.path), e.instance.start if e.instance else 0.0))


def support_digest(support_path: Path, examples: list[SupportExample]) -> str:
    """Return the digest of all examples: of an annotation file's content, or of the list of clips."""
    if not support_path.is_dir():
        return annotations_digest(support_path)
    return source_folder.files_digest(
        support_path, [str(example.path.relative_to(support_path)) for example in examples], with_mtime=False
    )


def _read_clips(support_dir: Path) -> list[SupportExample]:
    class_dirs = [path for path in sorted(support_dir.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    if not class_dirs:
        raise UserError(f"--support {support_dir}: no classes there; expected one folder of clips for each class")
    hint = "; put a clip there that shows the class, or remove the folder"
    return [
        SupportExample(source_folder.escape_undecodable(class_dir.name), class_dir / clip)
        for class_dir in class_dirs
        for clip in source_folder.list_videos(class_dir, hint).values()
    ]


def _read_segments(annotations_path: Path, videos_dir: Path) -> list[SupportExample]:
    instances_by_video = {i: a.instances for i, a in read_annotations(annotations_path).items() if a.instances}
    if not instances_by_video:
        raise UserError(f"--support {annotations_path}: no classes there; none of its videos has a segment")
    video_paths = source_folder.list_videos(videos_dir)
    for video_id in sorted(instances_by_video.keys() - video_paths.keys()):
        advice = "name its folder by --support-videos"
        raise UserError(f"--support {annotations_path}: video '{video_id}' is not in {videos_dir}; {advice}")
    return [
        SupportExample(instance.label, videos_dir / video_paths[i], instance)
        for i, instances in instances_by_video.items()
        for instance in instances
    ]


def _check_class_names(support_path: Path, names: list[str]) -> None:
    """Refuse names that differ only in capitals and spaces: they would be two classes that look the same."""
    names_by_key: dict[str, str] = {}
    for name in names:
        key = " ".join(name.casefold().split())
        if key in names_by_key:
            pair = f"'{names_by_key[key]}' and '{name}'"
            raise UserError(
                f"--support {support_path}: {pair} differ only in capitals and spaces; give a class one name"
            )
        names_by_key[key] = name
