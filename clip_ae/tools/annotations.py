"""Turn a benchmark's annotations, in any form in circulation, into one file; say how they differ from its release."""

import os
from collections.abc import Iterable, Mapping
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
    from_: Annotated[Path, "the kit's folder of text files, a folder of npy files, or a JSON file"],
    out: Annotated[Path | None, "JSON file to write (default: data/{benchmark}/annotations.json)"] = None,
    videos: Annotated[tuple[Path, ...], "folders of the downloaded videos: what is missing there is told"] = (),
    link: Annotated[Path | None, "folder to fill with links to the annotated videos, named by id"] = None,
    missing: Annotated[Path | None, "text file to write the ids of missing videos to"] = None,
) -> None:
    if benchmark not in BENCHMARKS:
        raise UserError(f"{benchmark}: no such benchmark{suggest_name(benchmark, BENCHMARKS)}")
    if not videos and (link or missing):
        raise UserError("--link and --missing need --videos: the folders in which the videos lie")
    recipe, out = BENCHMARKS[benchmark], out or Path("data", benchmark, "annotations.json")
    check_output_path(out, [from_])
    if missing:
        check_output_path(missing, [from_, out])
    found = read_annotations(from_)
    known = normalize_annotations(recipe, found)
    if len(known) < len(found):
        print(f"{len(found) - len(known)} videos in which nothing is annotated are left out")
    files = _files(recipe, videos)
    wanted = {i: a for i, a in known.items() if a.subset in recipe.subsets}
    if link:
        _link(link, {i: files[i] for i in wanted if i in files})
    known |= _measured(wanted, files)
    print("\n".join(align_table([HEADER, *(_row(name, known.values()) for name in _subsets(known))])))
    told = list(find_differences(recipe, known))
    print("\n".join(map(make_printable, told or [f"as {recipe.title} was released"])))
    if videos:
        _tell_missing([i for i in wanted if i not in files], len(wanted), missing)
    write_json(out, _content(recipe, known, from_))
    log_line(f"{out}: {len(known)} videos")


def normalize_annotations(benchmark: Benchmark, annotations: Mapping[str, Annotation]) -> dict[str, Annotation]:
    """Under the release's own ids and subsets, without the videos of these that nobody annotated in time."""
    known: dict[str, Annotation] = {}
    for name, annotation in sorted(annotations.items()):
        video_id = benchmark.normalize_video_id(name)
        subset = benchmark.normalize_subset(video_id, annotation.subset)
        if video_id in known:
            raise UserError(f"video '{video_id}' stands there under two names, one of them '{name}'; keep one")
        if subset not in benchmark.subsets or annotation.instances or annotation.ambiguous:
            known[video_id] = replace(annotation, subset=subset)
    return known


def _files(recipe: Benchmark, videos: Iterable[Path]) -> dict[str, Path]:
    """Path by id; a video in two of the folders is taken from the first."""
    found: dict[str, Path] = {}
    for place in videos:
        for stem, path in source_folder.list_videos(place).items():
            found.setdefault(recipe.normalize_video_id(stem), place / path)
    return found


def _link(place: Path, files: Mapping[str, Path]) -> None:
    """Full downloads hold many videos without annotations, which would be extracted as well."""
    check_writable_dir("--link", place)
    place.mkdir(parents=True, exist_ok=True)
    for name in place.iterdir():
        if not name.is_symlink():
            raise UserError(f"--link {place}: {make_printable(name.name)} is there and no link; name another folder")
        # Of an earlier call, perhaps of another list.
        name.unlink()
    for video_id, path in files.items():
        name = place / f"{video_id}{path.suffix.lower()}"
        name.symlink_to(os.path.relpath(path.resolve(), place.resolve()))
    log_line(f"{place}: {len(files)} links")


def _measured(wanted: Mapping[str, Annotation], files: Mapping[str, Path]) -> dict[str, Annotation]:
    """With the videos' own durations, where the annotations state none."""
    unknown = [i for i, a in wanted.items() if a.duration is None and i in files]
    found: dict[str, Annotation] = {}
    with Decoder() as decoder:
        for video_id in track(unknown, "durations", unit="videos") if unknown else ():
            try:
                facts = decoder.probe_video(files[video_id], SnippetGrid())
            except Unreadable as failure:
                log_line(f"{files[video_id]}: {failure.kind}: {failure}")
                continue
            found[video_id] = replace(wanted[video_id], duration=round(facts.duration, 3))
    return found


def _subsets(known: Mapping[str, Annotation]) -> list[str]:
    return sorted({a.subset for a in known.values()})


def _row(name: str, every: Iterable[Annotation]) -> list[str]:
    found = [a for a in every if a.subset == name]
    instances = [i for a in found for i in a.instances]
    return [
        name,
        str(len(found)),
        str(sum(bool(a.instances) for a in found)),
        str(len(instances)),
        str(len({i.label for i in instances})),
        str(sum(len(a.ambiguous) for a in found)),
        str(sum(a.duration is not None for a in found)),
    ]


def _tell_missing(ids: list[str], wanted: int, file: Path | None) -> None:
    if file:
        write_text(file, "".join(f"{make_printable(i)}\n" for i in ids))
    if not ids:
        print(f"all {wanted} videos are there")
        return
    more = f" and {len(ids) - MAX_SHOWN} more (--missing FILE lists them)" if len(ids) > MAX_SHOWN else ""
    print(f"{len(ids)} of {wanted} videos are missing: {make_printable(', '.join(ids[:MAX_SHOWN]))}{more}")


def _content(recipe: Benchmark, known: Mapping[str, Annotation], source: Path) -> dict[str, Any]:
    database = {i: _entry(a) for i, a in known.items()}
    return {
        "version": recipe.title,
        "source": {"name": source.name, "digest": annotations_digest(source)},
        "database": database,
    }


def _entry(annotation: Annotation) -> dict[str, Any]:
    spans = [(i.label, i.start, i.stop) for i in annotation.instances]
    spans += [(AMBIGUOUS_LABEL, start, stop) for start, stop in annotation.ambiguous]
    listed = [{"label": label, "segment": [start, stop]} for label, start, stop in spans]
    length = {} if annotation.duration is None else {"duration": annotation.duration}
    return {"subset": annotation.subset, **length, "annotations": listed}
