"""Write the report page (HTML): scores, clusters, errors, timelines of the videos, training curves."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from clip_ae.clustering.num_clusters import choose_num_clusters
from clip_ae.core.config.registry import METHODS
from clip_ae.core.config.specs import ReportSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.provenance import Provenance, digest_ids, make_provenance
from clip_ae.core.types import Detection
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


@dataclass(frozen=True)
class ReportFiles:
    """Input files of the page."""

    runs: Annotated[Path, "folder of the dataset's runs"]
    catalog: Annotated[Path, "videos.parquet"]
    failures: Annotated[Path, "failures.parquet"]
    annotations: Annotated[Path | None, "annotations, if there are any"] = None
    cluster_names: Annotated[Path | None, "names.json of the first seed, with suggested names of clusters"] = None
    diagnosis: Annotated[Path | None, "diagnosis.json, if there are annotations"] = None
    moments: Annotated[Path | None, "moments.json, for the search on the page"] = None
    audio_shards: Annotated[tuple[Path, ...], "audio feature shards, for the loudness of the videos"] = ()
    source: Annotated[Path | None, "folder of the videos that the page plays"] = None

    def run_dirs(self, spec: ReportSpec) -> dict[int, Path]:
        """The folder of each seed of the main run."""
        return {seed: self.runs / spec.main_run / f"seed-{seed}" for seed in spec.seeds}

    def first_run_dir(self, spec: ReportSpec) -> Path:
        return next(iter(self.run_dirs(spec).values()))


def run(spec: ReportSpec, *, files: ReportFiles, out: Annotated[Path, "HTML page to write"]) -> None:
    run_dirs = files.run_dirs(spec)
    results = {s: read_json_object(path / "map.json") for s, path in run_dirs.items()} if files.annotations else {}
    error_analysis = read_json_object(files.diagnosis) if files.diagnosis else {}
    videos = read_rows(files.catalog)
    source_dir = Path(os.path.relpath(files.source, out.parent)) if files.source else None
    entries = _build_video_entries(spec, files, videos, error_analysis.get("videos", {}), source_dir)
    provenance = _make_provenance(spec, files)
    guesses = read_json_object(files.cluster_names)["names"] if files.cluster_names else {}
    moments_by_text = read_moments(files.moments) if files.moments else {}
    sections = {
        **({"Scores": _render_scores(spec, results)} if results else {}),
        **({"Clusters": _render_clusters(spec, files, results, guesses)} if _has_clusters(spec) else {}),
        **({"Errors": render_errors(error_analysis)} if error_analysis else {}),
        "Videos": render_timelines(entries, with_search=bool(moments_by_text)),
        "Training": render_training_curves({s: _read_logs(path, spec.rounds) for s, path in run_dirs.items()}),
        "Sources": render_sources(videos, read_rows(files.failures), provenance),
    }
    names = _find_main_classes(results[spec.seeds[0]]) if results else _select_best_guesses(guesses)
    page_data = build_page_data(entries, names, spec.grid, moments_by_text)
    title = f"Actions found in {spec.dataset}"
    write_text(out, render_html_page(title, _describe_run(spec), sections, page_data, provenance.to_json()))


def _describe_run(spec: ReportSpec) -> str:
    text = f"{spec.main_run}, seeds {', '.join(map(str, spec.seeds))}; features: {', '.join(spec.streams)}"
    return f"{text}; adapter: {spec.feature_adapter.description}" if spec.feature_adapter else text


def _make_provenance(spec: ReportSpec, files: ReportFiles) -> Provenance:
    names = ("detections", "map") if files.annotations else ("detections",)
    outputs = {f"{n}-{seed}": path / f"{n}.json" for seed, path in files.run_dirs(spec).items() for n in names}
    inputs = {"catalog": files.catalog, **outputs}
    inputs |= {"cluster_names": files.cluster_names} if files.cluster_names else {}
    inputs |= {"moments": files.moments} if files.moments else {}
    ids = {name: read_provenance(path).id for name, path in inputs.items()}
    ids |= {"annotations": annotations_digest(files.annotations)} if files.annotations else {}
    ids |= {"diagnosis": read_provenance(files.diagnosis).id} if files.diagnosis else {}
    if files.audio_shards:
        ids["features/audio"] = digest_ids(read_provenance(path).id for path in files.audio_shards)
    return make_provenance("report", spec, ids)


def _has_clusters(spec: ReportSpec) -> bool:
    return spec.supervision == "unsupervised"


def _render_clusters(spec: ReportSpec, files: ReportFiles, results: ResultsBySeed, guesses: ClusterNames) -> str:
    """Clusters named by annotations; sizes, silhouettes and suggested names, which need no annotations."""
    first, last = (files.first_run_dir(spec) / f"round-{number}" / "labels.parquet" for number in (0, spec.rounds - 1))
    silhouettes = read_silhouettes(first)
    sizes = Counter(label.label for label in read_labels(last))
    num_clusters = choose_num_clusters(silhouettes) if silhouettes else 0
    html = render_clusters(results) if results else ""
    if guesses or silhouettes or not results:
        html += render_cluster_names(dict(sorted(sizes.items())), guesses, silhouettes, num_clusters)
    return html


def _select_best_guesses(guesses: ClusterNames) -> dict[str, str]:
    """The most similar name of each cluster. If two clusters have the same name, the page also shows the cluster."""
    return {cluster: best["name"] for cluster, (best, *_) in guesses.items()}


def _render_scores(spec: ReportSpec, results: ResultsBySeed) -> str:
    seed_results = list(results.values())
    bootstrap = bootstrap_io.bootstrap_seed_mean(average_over_seeds(seed_results), seed_results)
    return render_scores(results, bootstrap["interval"] if bootstrap else None, _select_published(spec))


def _select_published(spec: ReportSpec) -> dict[str, PublishedMetrics]:
    """Published results of the same method with the same supervision."""
    title = METHODS[spec.method].title
    rows = PUBLISHED.get(spec.published or "", ())
    return {r.method: r.metrics for r in rows if (r.title, r.supervision) == (title, spec.supervision)}


def _build_video_entries(
    spec: ReportSpec,
    files: ReportFiles,
    catalog: Sequence[Mapping[str, Any]],
    ap: Mapping[str, float],
    source_dir: Path | None,
) -> list[VideoEntry]:
    """The localized videos of the first seed, in order of their ids."""
    run_dir = files.first_run_dir(spec)
    annotations = read_annotations(files.annotations) if files.annotations else {}
    loudness = {i: levels for path in files.audio_shards for i, levels in read_loudness(path).items()}
    detections = _group_by_video(read_detections(run_dir / "detections.json"))
    curves = read_curves(run_dir / "curves.parquet")
    rows = {row["video_id"]: row for row in catalog}
    if unknown := sorted(curves.keys() - rows.keys()):
        raise UserError(f"{run_dir}: video '{unknown[0]}' is not in videos.parquet; make both from the same videos")
    return [
        VideoEntry(
            video_id=video_id,
            duration=rows[video_id]["duration"],
            attention=video_curves.attention,
            activation=video_curves.activation,
            detections=detections.get(video_id, []),
            ground_truth=annotations[video_id].instances if video_id in annotations else (),
            loudness=loudness.get(video_id),
            ap=ap.get(video_id),
            file=(source_dir / rows[video_id]["path"]).as_posix() if source_dir else None,
        )
        for video_id, video_curves in curves.items()
    ]


def _group_by_video(detections: Sequence[Detection]) -> dict[str, list[Detection]]:
    groups: dict[str, list[Detection]] = defaultdict(list)
    for detection in detections:
        groups[detection.video_id].append(detection)
    return groups


def _read_logs(run_dir: Path, num_rounds: int) -> list[TrainingLog]:
    paths = [run_dir / f"round-{number}" / "training.jsonl" for number in range(num_rounds)]
    return [[json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in paths]


def _find_main_classes(result: Mapping[str, Any]) -> dict[str, str]:
    """The class with the largest weight of each cluster, by the mapping that map.json names under `headline`."""
    weights = result["mapping"][result["mapping"]["headline"]]["weights"]
    return {cluster: max(classes, key=classes.get) for cluster, classes in weights.items() if classes}
