"""Convert a benchmark's annotations to one JSON file, and list how they differ from its release."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.benchmark_checks import find_differences
from clip_ae.core.benchmarks import BENCHMARKS, Benchmark
from clip_ae.core.errors import Unreadable, UserError, make_printable, suggest_name
from clip_ae.core.files import check_output_path, check_writable_dir, write_text
from clip_ae.core.progress import log_line, track
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Annotation
from clip_ae.data import source_folder
from clip_ae.data.annotations import AMBIGUOUS_LABEL, annotations_digest, read_annotations
from clip_ae.data.detections import write_json
from clip_ae.media.decoder_process import Decoder
from clip_ae.pages.text_table import align_table

MAX_SHOWN = 5
HEADER = ["subset", "videos", "with an action", "actions", "classes", AMBIGUOUS_LABEL, "with a duration"]


def run(
    benchmark: Annotated[str, f"{' or '.join(BENCHMARKS)}"],
    *,
    from_: Annotated[Path, "the annotations: a folder of text files (THUMOS kit), a folder of npy files, or JSON"],
    out: Annotated[Path | None, "JSON file to write (default: data/{benchmark}/annotations.json)"] = None,
    videos: Annotated[tuple[Path, ...], "folders of the downloaded videos; prints which ones are missing"] = (),
    link: Annotated[Path | None, "folder to fill with links to the annotated videos, named by video id"] = None,
    missing: Annotated[Path | None, "text file to write the ids of missing videos to"] = None,
) -> None:
    if benchmark not in BENCHMARKS:
        raise UserError(f"{benchmark}: no such benchmark{suggest_name(benchmark, BENCHMARKS)}")
    if not videos and (link or missing):
        raise UserError("--link and --missing need --videos: the folders that contain the videos")
    release, out = BENCHMARKS[benchmark], out or Path("data", benchmark, "annotations.json")
    check_output_path(out, [from_])
    if missing:
        check_output_path(missing, [from_, out])
    source_annotations = read_annotations(from_)
    annotations = normalize_annotations(release, source_annotations)
    if len(annotations) < len(source_annotations):
        print(f"{len(source_annotations) - len(annotations)} videos without annotated actions are left out")
    paths = _find_videos(release, videos)
    scored = {i: a for i, a in annotations.items() if a.subset in release.subsets}
    if link:
        _write_links(link, videos, {i: paths[i] for i in scored if i in paths})
    annotations |= _with_measured_durations(scored, paths)
    print("\n".join(align_table([HEADER, *_table_rows(annotations.values())])))
    differences = list(find_differences(release, annotations))
    print("\n".join(map(make_printable, differences or [f"no difference from the release of {release.title}"])))
    if videos:
        _report_missing([i for i in scored if i not in paths], len(scored), missing)
    write_json(out, _content(release, annotations, from_))
    log_line(f"{out}: {len(annotations)} videos")


def normalize_annotations(benchmark: Benchmark, annotations: Mapping[str, Annotation]) -> dict[str, Annotation]:
    """Annotations under the release's ids and subsets; videos of its subsets without any segment are left out."""
    normalized: dict[str, Annotation] = {}
    for name, annotation in sorted(annotations.items()):
        video_id = benchmark.normalize_video_id(name)
        subset = benchmark.normalize_subset(video_id, annotation.subset)
        if video_id in normalized:
            raise UserError(f"video '{video_id}' is annotated under two names, one of them '{name}'; keep one")
        if subset not in benchmark.subsets or annotation.instances or annotation.ambiguous:
            normalized[video_id] = replace(annotation, subset=subset)
    return normalized


def _find_videos(benchmark: Benchmark, folders: Iterable[Path]) -> dict[str, Path]:
    """Path by id; of a video in two folders, the one in the first folder."""
    paths: dict[str, Path] = {}
    for folder in folders:
        for stem, path in source_folder.list_videos(folder).items():
            paths.setdefault(benchmark.normalize_video_id(stem), folder / path)
    return paths


def _write_links(links_dir: Path, video_dirs: Sequence[Path], paths: Mapping[str, Path]) -> None:
    """Link the annotated videos only: a full download has many others, which would be extracted as well."""
    check_writable_dir("--link", links_dir)
    links_dir.mkdir(parents=True, exist_ok=True)
    if any(links_dir.samefile(folder) for folder in video_dirs):
        raise UserError(f"--link {links_dir}: is one of the folders of --videos; name another folder")
    old_links = list(links_dir.iterdir())
    for old_link in old_links:
        if not _is_earlier_link(old_link, video_dirs, paths):
            name = make_printable(old_link.name)
            raise UserError(f"--link {links_dir}: contains {name}, no link to a file in --videos; name another folder")
    for old_link in old_links:
        old_link.unlink()
    for video_id, path in paths.items():
        new_link = links_dir / f"{video_id}{path.suffix.lower()}"
        new_link.symlink_to(os.path.relpath(path.resolve(), links_dir.resolve()))
    log_line(f"{links_dir}: {len(paths)} links")


def _is_earlier_link(path: Path, folders: Iterable[Path], video_ids: Collection[str]) -> bool:
    """Whether a path is a link that an earlier call may have made: named by a video, or to a file in the folders."""
    if not path.is_symlink():
        return False
    if path.stem in video_ids:
        return True
    target = Path(os.path.normpath(path.parent.resolve() / path.readlink()))
    return any(target.is_relative_to(folder.resolve()) for folder in folders)


def _with_measured_durations(annotations: Mapping[str, Annotation], paths: Mapping[str, Path]) -> dict[str, Annotation]:
    """The annotations that state no duration, with the duration of their video file in seconds."""
    unmeasured = [i for i, a in annotations.items() if a.duration is None and i in paths]
    measured: dict[str, Annotation] = {}
    with Decoder() as decoder:
        for video_id in track(unmeasured, "durations", unit="videos") if unmeasured else ():
            try:
                probed = decoder.probe_video(paths[video_id], SnippetGrid())
            except Unreadable as failure:
                log_line(f"{paths[video_id]}: {failure.kind}: {failure}")
                continue
            measured[video_id] = replace(annotations[video_id], duration=round(probed.duration, 3))
    return measured


def _table_rows(annotations: Iterable[Annotation]) -> list[list[str]]:
    by_subset: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        by_subset.setdefault(annotation.subset, []).append(annotation)
    return [_row(name, by_subset[name]) for name in sorted(by_subset)]


def _row(name: str, annotations: Sequence[Annotation]) -> list[str]:
    instances = [i for a in annotations for i in a.instances]
    return [
        name,
        str(len(annotations)),
        str(sum(bool(a.instances) for a in annotations)),
        str(len(instances)),
        str(len({i.label for i in instances})),
        str(sum(len(a.ambiguous) for a in annotations)),
        str(sum(a.duration is not None for a in annotations)),
    ]


def _report_missing(ids: Sequence[str], num_annotated: int, list_path: Path | None) -> None:
    if list_path:
        write_text(list_path, "".join(f"{make_printable(i)}\n" for i in ids))
    if not ids:
        print(f"no video of {num_annotated} is missing")
        return
    more = f" and {len(ids) - MAX_SHOWN} more (--missing FILE lists them)" if len(ids) > MAX_SHOWN else ""
    print(f"{len(ids)} of {num_annotated} videos are missing: {make_printable(', '.join(ids[:MAX_SHOWN]))}{more}")


def _content(benchmark: Benchmark, annotations: Mapping[str, Annotation], source: Path) -> dict[str, Any]:
    return {
        "version": benchmark.title,
        "source": {"name": source.name, "digest": annotations_digest(source)},
        "database": {i: _entry(a) for i, a in annotations.items()},
    }


def _entry(annotation: Annotation) -> dict[str, Any]:
    segments = [(i.label, i.start, i.stop) for i in annotation.instances]
    segments += [(AMBIGUOUS_LABEL, start, stop) for start, stop in annotation.ambiguous]
    entries = [{"label": label, "segment": [start, stop]} for label, start, stop in segments]
    duration = {} if annotation.duration is None else {"duration": annotation.duration}
    return {"subset": annotation.subset, **duration, "annotations": entries}
