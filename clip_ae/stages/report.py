"""Write a page to look at: scores, clusters, what went wrong, every video in time, training curves."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from clip_ae.clustering.num_clusters import choose_num_clusters
from clip_ae.core.config.registry import METHODS
from clip_ae.core.config.specs import ReportSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.provenance import Provenance, digest_ids, make_provenance
from clip_ae.core.types import Annotation, Detection
from clip_ae.data.annotations import annotations_digest, read_annotations
from clip_ae.data.curves import read_curves
from clip_ae.data.detections import read_detections, read_json_object
from clip_ae.data.labels import read_labels, read_silhouettes
from clip_ae.data.moments import read_moments
from clip_ae.data.parquet import read_rows
from clip_ae.data.shards import read_loudness
from clip_ae.pages.page import render_html_page
from clip_ae.pages.report.clusters import render_clusters
from clip_ae.pages.report.error_charts import render_errors
from clip_ae.pages.report.names import ClusterNames, render_cluster_names
from clip_ae.pages.report.scores import PublishedMetrics, ResultsBySeed, average_over_seeds, render_scores
from clip_ae.pages.report.sources import render_sources
from clip_ae.pages.report.training_curves import TrainingLog, render_training_curves
from clip_ae.pages.report.videos import VideoEntry, build_page_data, render_timelines
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.scoring import bootstrap_io
from clip_ae.scoring.published import PUBLISHED


def run(
    spec: ReportSpec,
    *,
    runs: Annotated[Path, "folder of the dataset's runs"],
    catalog: Annotated[Path, "videos.parquet"],
    failures: Annotated[Path, "failures.parquet"],
    out: Annotated[Path, "HTML page to write"],
    annotations: Annotated[Path | None, "annotations, where there are any"] = None,
    cluster_names: Annotated[Path | None, "names.json of the first seed, where clusters were given names"] = None,
    diagnosis: Annotated[Path | None, "diagnosis.json, where there are annotations"] = None,
    moments: Annotated[Path | None, "moments.json: what a search on the page finds"] = None,
    audio_shards: Annotated[tuple[Path, ...], "audio shards, for loudness"] = (),
    source: Annotated[Path | None, "folder of the videos, which the page plays"] = None,
) -> None:
    folders = {seed: runs / spec.main_run / f"seed-{seed}" for seed in spec.seeds}
    results = {seed: read_json_object(folder / "map.json") for seed, folder in folders.items()} if annotations else {}
    found = read_json_object(diagnosis) if diagnosis else {}
    videos, first = read_rows(catalog), spec.seeds[0]
    shown = _shown(
        folders[first],
        videos,
        read_annotations(annotations) if annotations else {},
        {i: levels for path in audio_shards for i, levels in read_loudness(path).items()},
        found.get("videos", {}),
        Path(os.path.relpath(source, out.parent)) if source else None,
    )
    record = _record(spec, folders, catalog, annotations, diagnosis, audio_shards, cluster_names, moments)
    guesses = read_json_object(cluster_names)["names"] if cluster_names else {}
    searched = read_moments(moments) if moments else {}
    sections = {
        **({"Scores": _scores(spec, results)} if results else {}),
        **({"Clusters": _clusters(spec, folders[first], results, guesses)} if _clustered(spec) else {}),
        **({"Errors": render_errors(found)} if found else {}),
        "Videos": render_timelines(shown, with_search=bool(searched)),
        "Training": render_training_curves({seed: _logs(folder, spec.rounds) for seed, folder in folders.items()}),
        "Sources": render_sources(videos, read_rows(failures), record),
    }
    lead = f"{spec.main_run}, seeds {', '.join(map(str, spec.seeds))}; streams {', '.join(spec.streams)}"
    lead += f"; features {spec.feature_adapter.description}" if spec.feature_adapter else ""
    drawn = build_page_data(shown, _names(results[first]) if results else _best(guesses), spec.grid, searched)
    write_text(out, render_html_page(f"Actions found in {spec.dataset}", lead, sections, drawn, record.to_json()))


def _record(
    spec: ReportSpec,
    folders: Mapping[int, Path],
    catalog: Path,
    annotations: Path | None,
    diagnosis: Path | None,
    audio_shards: Sequence[Path],
    cluster_names: Path | None,
    moments: Path | None,
) -> Provenance:
    files = ("detections", "map") if annotations else ("detections",)
    inputs = {
        "catalog": read_provenance(catalog).id,
        **{
            f"{name}-{s}": read_provenance(folder / f"{name}.json").id
            for s, folder in folders.items()
            for name in files
        },
        **({"cluster_names": read_provenance(cluster_names).id} if cluster_names else {}),
        **({"moments": read_provenance(moments).id} if moments else {}),
        **({"annotations": annotations_digest(annotations)} if annotations else {}),
        **({"diagnosis": read_provenance(diagnosis).id} if diagnosis else {}),
        **({"features/audio": digest_ids(read_provenance(path).id for path in audio_shards)} if audio_shards else {}),
    }
    return make_provenance("report", spec, inputs)


def _clustered(spec: ReportSpec) -> bool:
    return spec.supervision == "unsupervised"


def _clusters(spec: ReportSpec, folder: Path, results: ResultsBySeed, guesses: ClusterNames) -> str:
    """What they are by the annotations, and beside or in place of it what can be said without any."""
    first, last = (folder / f"round-{number}" / "labels.parquet" for number in (0, spec.rounds - 1))
    curve = read_silhouettes(first)
    sizes = Counter(label.label for label in read_labels(last))
    number = choose_num_clusters(curve) if curve else 0
    alone = (
        render_cluster_names(dict(sorted(sizes.items())), guesses, curve, number)
        if guesses or curve or not results
        else ""
    )
    return (render_clusters(results) if results else "") + alone


def _best(guesses: ClusterNames) -> dict[str, str]:
    """Each cluster's likeliest name; of two with the same the page tells them apart by their clusters."""
    return {cluster: best["name"] for cluster, (best, *_) in guesses.items()}


def _scores(spec: ReportSpec, results: ResultsBySeed) -> str:
    between = bootstrap_io.bootstrap_seed_mean(average_over_seeds(list(results.values())), list(results.values()))
    return render_scores(results, between["interval"] if between else None, _published(spec))


def _published(spec: ReportSpec) -> dict[str, PublishedMetrics]:
    """What the paper has of the same method, told as much."""
    title = METHODS[spec.method].title
    rows = PUBLISHED.get(spec.published or "", ())
    return {r.method: r.metrics for r in rows if (r.title, r.supervision) == (title, spec.supervision)}


def _shown(
    folder: Path,
    catalog: Iterable[Mapping[str, Any]],
    truth: Mapping[str, Annotation],
    loudness: Mapping[str, Sequence[float | None]],
    ap: Mapping[str, float],
    files: Path | None,
) -> list[VideoEntry]:
    """The videos that were localized, by id."""
    found: dict[str, list[Detection]] = defaultdict(list)
    for d in read_detections(folder / "detections.json"):
        found[d.video_id].append(d)
    curves = read_curves(folder / "curves.parquet")
    known = {row["video_id"]: row for row in catalog}
    if unknown := sorted(curves.keys() - known.keys()):
        raise UserError(f"{folder}: video '{unknown[0]}' is not in videos.parquet; make both from the same videos")
    return [
        VideoEntry(
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


def _logs(folder: Path, rounds: int) -> list[TrainingLog]:
    paths = [folder / f"round-{number}" / "training.jsonl" for number in range(rounds)]
    return [[json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in paths]


def _names(scored: Mapping[str, Any]) -> dict[str, str]:
    """The class that each cluster mostly is, under the headline mapping."""
    weights = scored["mapping"][scored["mapping"]["headline"]]["weights"]
    return {cluster: max(classes, key=classes.get) for cluster, classes in weights.items() if classes}
