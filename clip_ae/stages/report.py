"""Write a page to look at: scores, clusters, what went wrong, every video in time, training curves."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from clip_ae.clustering.num_clusters import chosen
from clip_ae.core.config.registry import METHODS
from clip_ae.core.config.specs import ReportSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.provenance import Record, join_ids, make_record
from clip_ae.core.types import Annotation, Detection
from clip_ae.data.annotations import read_annotations, source_digest
from clip_ae.data.curves import read_curves
from clip_ae.data.detections import read_detections, read_json
from clip_ae.data.labels import read_curve, read_labels
from clip_ae.data.moments import read_moments
from clip_ae.data.parquet import read_rows
from clip_ae.data.shards import read_loudness
from clip_ae.pages.page import page
from clip_ae.pages.report.clusters import clusters
from clip_ae.pages.report.error_charts import errors
from clip_ae.pages.report.names import Names, named
from clip_ae.pages.report.scores import Published, Results, means, scores
from clip_ae.pages.report.sources import sources
from clip_ae.pages.report.training_curves import Log, training
from clip_ae.pages.report.videos import Shown, data, timelines
from clip_ae.provenance.read_provenance import read_record
from clip_ae.scoring import bootstrap_io
from clip_ae.scoring.published import PUBLISHED


def run(
    spec: ReportSpec,
    *,
    runs: Annotated[Path, "folder of the dataset's runs"],
    videos: Annotated[Path, "videos.parquet"],
    failures: Annotated[Path, "failures.parquet"],
    out: Annotated[Path, "HTML page to write"],
    annotations: Annotated[Path | None, "annotations, where there are any"] = None,
    names: Annotated[Path | None, "names.json of the first seed, where clusters were given names"] = None,
    diagnosis: Annotated[Path | None, "diagnosis.json, where there are annotations"] = None,
    moments: Annotated[Path | None, "moments.json: what a search on the page finds"] = None,
    sound: Annotated[tuple[Path, ...], "audio shards, for loudness"] = (),
    source: Annotated[Path | None, "folder of the videos, which the page plays"] = None,
) -> None:
    folders = {seed: runs / spec.run / f"seed-{seed}" for seed in spec.seeds}
    results = {seed: read_json(folder / "map.json") for seed, folder in folders.items()} if annotations else {}
    found = read_json(diagnosis) if diagnosis else {}
    catalog, first = read_rows(videos), spec.seeds[0]
    shown = _shown(
        folders[first],
        catalog,
        read_annotations(annotations) if annotations else {},
        {i: levels for path in sound for i, levels in read_loudness(path).items()},
        found.get("videos", {}),
        Path(os.path.relpath(source, out.parent)) if source else None,
    )
    record = _record(spec, folders, videos, annotations, diagnosis, sound, names, moments)
    guesses = read_json(names)["names"] if names else {}
    searched = read_moments(moments) if moments else {}
    sections = {
        **({"Scores": _scores(spec, results)} if results else {}),
        **({"Clusters": _clusters(spec, folders[first], results, guesses)} if _clustered(spec) else {}),
        **({"Errors": errors(found)} if found else {}),
        "Videos": timelines(shown, searched=bool(searched)),
        "Training": training({seed: _logs(folder, spec.rounds) for seed, folder in folders.items()}),
        "Sources": sources(catalog, read_rows(failures), record),
    }
    lead = f"{spec.run}, seeds {', '.join(map(str, spec.seeds))}; streams {', '.join(spec.streams)}"
    lead += f"; features {spec.taught.words}" if spec.taught else ""
    drawn = data(shown, _names(results[first]) if results else _best(guesses), spec.grid, searched)
    write_text(out, page(f"Actions found in {spec.dataset}", lead, sections, drawn, record.to_json()))


def _record(
    spec: ReportSpec,
    folders: Mapping[int, Path],
    videos: Path,
    annotations: Path | None,
    diagnosis: Path | None,
    sound: Sequence[Path],
    names: Path | None,
    moments: Path | None,
) -> Record:
    files = ("detections", "map") if annotations else ("detections",)
    inputs = {
        "videos": read_record(videos).id,
        **{f"{name}-{s}": read_record(folder / f"{name}.json").id for s, folder in folders.items() for name in files},
        **({"names": read_record(names).id} if names else {}),
        **({"moments": read_record(moments).id} if moments else {}),
        **({"annotations": source_digest(annotations)} if annotations else {}),
        **({"diagnosis": read_record(diagnosis).id} if diagnosis else {}),
        **({"features/audio": join_ids(read_record(path).id for path in sound)} if sound else {}),
    }
    return make_record("report", spec, inputs)


def _clustered(spec: ReportSpec) -> bool:
    return spec.supervision == "unsupervised"


def _clusters(spec: ReportSpec, folder: Path, results: Results, guesses: Names) -> str:
    """What they are by the annotations, and beside or in place of it what can be said without any."""
    first, last = (folder / f"round-{number}" / "labels.parquet" for number in (0, spec.rounds - 1))
    curve = read_curve(first)
    sizes = Counter(label.label for label in read_labels(last))
    number = chosen(curve) if curve else 0
    alone = named(dict(sorted(sizes.items())), guesses, curve, number) if guesses or curve or not results else ""
    return (clusters(results) if results else "") + alone


def _best(guesses: Names) -> dict[str, str]:
    """Each cluster's likeliest name; of two with the same the page tells them apart by their clusters."""
    return {cluster: best["name"] for cluster, (best, *_) in guesses.items()}


def _scores(spec: ReportSpec, results: Results) -> str:
    between = bootstrap_io.over_seeds(means(list(results.values())), list(results.values()))
    return scores(results, between["interval"] if between else None, _published(spec))


def _published(spec: ReportSpec) -> dict[str, Published]:
    """What the paper has of the same method, told as much."""
    title = METHODS[spec.method].title
    rows = PUBLISHED.get(spec.published or "", ())
    return {r.method: r.figures for r in rows if (r.title, r.supervision) == (title, spec.supervision)}


def _shown(
    folder: Path,
    catalog: Iterable[Mapping[str, Any]],
    truth: Mapping[str, Annotation],
    loudness: Mapping[str, Sequence[float | None]],
    ap: Mapping[str, float],
    files: Path | None,
) -> list[Shown]:
    """The videos that were localized, by id."""
    found: dict[str, list[Detection]] = defaultdict(list)
    for d in read_detections(folder / "detections.json"):
        found[d.video_id].append(d)
    curves = read_curves(folder / "curves.parquet")
    known = {row["video_id"]: row for row in catalog}
    if unknown := sorted(curves.keys() - known.keys()):
        raise UserError(f"{folder}: video '{unknown[0]}' is not in videos.parquet; make both from the same videos")
    return [
        Shown(
            video_id,
            known[video_id]["duration"],
            seen.attention,
            seen.activation,
            found[video_id],
            truth[video_id].instances if video_id in truth else (),
            loudness.get(video_id),
            ap.get(video_id),
            (files / known[video_id]["path"]).as_posix() if files else None,
        )
        for video_id, seen in curves.items()
    ]


def _logs(folder: Path, rounds: int) -> list[Log]:
    paths = [folder / f"round-{number}" / "training.jsonl" for number in range(rounds)]
    return [[json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in paths]


def _names(scored: Mapping[str, Any]) -> dict[str, str]:
    """The class that each cluster mostly is, under the headline mapping."""
    weights = scored["mapping"][scored["mapping"]["headline"]]["weights"]
    return {cluster: max(classes, key=classes.get) for cluster, classes in weights.items() if classes}
