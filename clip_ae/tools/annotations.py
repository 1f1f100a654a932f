"""Turn a benchmark's annotations, in any form in circulation, into one file; say how they differ from its release."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.benchmark_checks import differences
from clip_ae.core.benchmarks import RECIPES, Recipe
from clip_ae.core.errors import Unreadable, UserError, nearest, printable
from clip_ae.core.files import check_folder, check_out, write_text
from clip_ae.core.progress import say, track
from clip_ae.core.timeline import Grid
from clip_ae.core.types import Annotation
from clip_ae.data import source_folder
from clip_ae.data.annotations import AMBIGUOUS, read_annotations, source_digest
from clip_ae.data.detections import write_json
from clip_ae.media.decoder_process import Decoder
from clip_ae.pages.text_table import aligned

SHOWN = 5
HEAD = ["subset", "videos", "with an action", "actions", "classes", AMBIGUOUS, "with a duration"]


def run(
    benchmark: Annotated[str, f"{' or '.join(RECIPES)}"],
    *,
    from_: Annotated[Path, "the kit's folder of text files, a folder of npy files, or a JSON file"],
    out: Annotated[Path | None, "JSON file to write (default: data/{benchmark}/annotations.json)"] = None,
    videos: Annotated[tuple[Path, ...], "folders of the downloaded videos: what is missing there is told"] = (),
    link: Annotated[Path | None, "folder to fill with links to the annotated videos, named by id"] = None,
    missing: Annotated[Path | None, "text file to write the ids of missing videos to"] = None,
) -> None:
    if benchmark not in RECIPES:
        raise UserError(f"{benchmark}: no such benchmark{nearest(benchmark, RECIPES)}")
    if not videos and (link or missing):
        raise UserError("--link and --missing need --videos: the folders in which the videos lie")
    recipe, out = RECIPES[benchmark], out or Path("data", benchmark, "annotations.json")
    check_out(out, [from_])
    if missing:
        check_out(missing, [from_, out])
    found = read_annotations(from_)
    known = canonical(recipe, found)
    if len(known) < len(found):
        print(f"{len(found) - len(known)} videos in which nothing is annotated are left out")
    files = _files(recipe, videos)
    wanted = {i: a for i, a in known.items() if a.subset in recipe.subsets}
    if link:
        _link(link, {i: files[i] for i in wanted if i in files})
    known |= _measured(wanted, files)
    print("\n".join(aligned([HEAD, *(_row(name, known.values()) for name in _subsets(known))])))
    told = list(differences(recipe, known))
    print("\n".join(map(printable, told or [f"as {recipe.title} was released"])))
    if videos:
        _tell_missing([i for i in wanted if i not in files], len(wanted), missing)
    write_json(out, _content(recipe, known, from_))
    say(f"{out}: {len(known)} videos")


def canonical(recipe: Recipe, found: Mapping[str, Annotation]) -> dict[str, Annotation]:
    """Under the release's own ids and subsets, without the videos of these that nobody annotated in time."""
    known: dict[str, Annotation] = {}
    for name, annotation in sorted(found.items()):
        video_id = recipe.video_id(name)
        subset = recipe.subset(video_id, annotation.subset)
        if video_id in known:
            raise UserError(f"video '{video_id}' stands there under two names, one of them '{name}'; keep one")
        if subset not in recipe.subsets or annotation.instances or annotation.ambiguous:
            known[video_id] = replace(annotation, subset=subset)
    return known


def _files(recipe: Recipe, videos: Iterable[Path]) -> dict[str, Path]:
    """Path by id; a video in two of the folders is taken from the first."""
    found: dict[str, Path] = {}
    for place in videos:
        for stem, path in source_folder.list_videos(place).items():
            found.setdefault(recipe.video_id(stem), place / path)
    return found


def _link(place: Path, files: Mapping[str, Path]) -> None:
    """Full downloads hold many videos without annotations, which would be extracted as well."""
    check_folder("--link", place)
    place.mkdir(parents=True, exist_ok=True)
    for name in place.iterdir():
        if not name.is_symlink():
            raise UserError(f"--link {place}: {printable(name.name)} is there and no link; name another folder")
        # Of an earlier call, perhaps of another list.
        name.unlink()
    for video_id, path in files.items():
        name = place / f"{video_id}{path.suffix.lower()}"
        name.symlink_to(os.path.relpath(path.resolve(), place.resolve()))
    say(f"{place}: {len(files)} links")


def _measured(wanted: Mapping[str, Annotation], files: Mapping[str, Path]) -> dict[str, Annotation]:
    """With the videos' own durations, where the annotations state none."""
    unknown = [i for i, a in wanted.items() if a.duration is None and i in files]
    found: dict[str, Annotation] = {}
    with Decoder() as decoder:
        for video_id in track(unknown, "durations", unit="videos") if unknown else ():
            try:
                facts = decoder.probe(files[video_id], Grid())
            except Unreadable as failure:
                say(f"{files[video_id]}: {failure.kind}: {failure}")
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
        write_text(file, "".join(f"{printable(i)}\n" for i in ids))
    if not ids:
        print(f"all {wanted} videos are there")
        return
    more = f" and {len(ids) - SHOWN} more (--missing FILE lists them)" if len(ids) > SHOWN else ""
    print(f"{len(ids)} of {wanted} videos are missing: {printable(', '.join(ids[:SHOWN]))}{more}")


def _content(recipe: Recipe, known: Mapping[str, Annotation], source: Path) -> dict[str, Any]:
    database = {i: _entry(a) for i, a in known.items()}
    return {
        "version": recipe.title,
        "source": {"name": source.name, "digest": source_digest(source)},
        "database": database,
    }


def _entry(annotation: Annotation) -> dict[str, Any]:
    spans = [(i.label, i.start, i.stop) for i in annotation.instances]
    spans += [(AMBIGUOUS, start, stop) for start, stop in annotation.ambiguous]
    listed = [{"label": label, "segment": [start, stop]} for label, start, stop in spans]
    length = {} if annotation.duration is None else {"duration": annotation.duration}
    return {"subset": annotation.subset, **length, "annotations": listed}
