"""Summarize a dataset: the main run over its seeds, or a table of all runs and published results."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.methods import Run
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.paths import SUMMARIES, SUMMARY_TABLES, TRAINING_TIME
from clip_ae.core.provenance import make_provenance
from clip_ae.data.benchmark_times import read_seconds
from clip_ae.data.detections import WITHOUT_FEATURES, read_json_object
from clip_ae.data.parquet import read_parquet_provenance, read_rows
from clip_ae.pages import markdown
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.scoring import ablation, tables
from clip_ae.scoring.bounds import PERFECT_CURVES
from clip_ae.scoring.main_run import build_main_run_map
from clip_ae.scoring.results import ResultTable, ScoredRun


@dataclass(frozen=True)
class TableFiles:
    """What table.md and table.csv show beside the scores of the runs."""

    perfect_curves: Annotated[Path | None, "perfect_curves_map.json, for table.md and table.csv"] = None
    training_times: Annotated[
        Path | None, "folder of the benchmark files that Snakemake writes for the rule train, for the same tables"
    ] = None


NO_TABLE_FILES = TableFiles()


def run(
    spec: SummarizeSpec,
    *,
    summary: Annotated[str, f"one of {', '.join(SUMMARIES)}"],
    runs: Annotated[Path, "folder of the dataset's runs"],
    catalog: Annotated[Path, "videos.parquet"],
    failures: Annotated[Path, "failures.parquet"],
    out: Annotated[Path, "file to write"],
    cluster_names: Annotated[Path | None, "names.json of the first seed, to add to detections.json"] = None,
    table_files: TableFiles = NO_TABLE_FILES,
) -> None:
    check_summary(spec, summary)
    seeds = spec.seeds[:1] if summary == "detections.json" else spec.seeds
    run_names = list(spec.runs) if summary in SUMMARY_TABLES else [spec.main_run]
    file_name = "detections.json" if summary == "detections.json" else "map.json"
    paths = {(run, seed): runs / run / f"seed-{seed}" / file_name for run in run_names for seed in seeds}
    inputs = {f"{run}/seed-{seed}": read_provenance(path).id for (run, seed), path in paths.items()}
    bound = table_files.perfect_curves
    others = {"cluster_names": cluster_names, "perfect_curves": bound}
    inputs |= {name: read_provenance(path).id for name, path in others.items() if path}
    provenance = make_provenance("summarize", spec, {"catalog": read_parquet_provenance(catalog).id, **inputs})
    results = {key: json.loads(path.read_text(encoding="utf-8")) for key, path in paths.items()}
    if summary in SUMMARY_TABLES:
        by_run = {run: {seed: results[run, seed] for seed in seeds} for run in run_names}
        times = table_files.training_times
        scored = [build_scored_run(run, spec.runs[run], by_run[run], times) for run in run_names]
        text = format_table(spec, summary, scored, provenance.to_json(), read_bound(bound) if bound else None)
    elif summary == "map.json":
        text = _json(build_main_run_map(spec, list(results.values()), count_sources(catalog, failures), provenance))
    else:
        names = {"names": read_json_object(cluster_names)["names"]} if cluster_names else {}
        found = add_lost_videos(results[spec.main_run, seeds[0]], list_test_videos(catalog, spec.test_subset))
        external_data = {**names, **found["external_data"], "provenance": to_plain_data(provenance)}
        text = _json({**found, "external_data": external_data})
    write_text(out, text)


def check_summary(spec: SummarizeSpec, summary: str) -> None:
    if summary not in SUMMARIES:
        raise UserError(f"--summary {summary}: no such summary; expected one of {', '.join(SUMMARIES)}")
    if summary in SUMMARY_TABLES and spec.main_run not in spec.runs:
        raise UserError(f"--spec: runs: {summary} needs the settings of every run, also of {spec.main_run}")


def read_bound(path: Path) -> dict[str, Any]:
    """The content of perfect_curves_map.json; UserError for the map.json of a run."""
    content = read_json_object(path)
    if content.get("method") != PERFECT_CURVES:
        raise UserError(f"--perfect-curves {path}: not the scores of perfect curves; run score_perfect_curves")
    return content


def build_scored_run(name: str, settings: Run, results: Mapping[int, Any], training_times: Path | None) -> ScoredRun:
    """A run with the minutes of its training, of the seeds whose rounds were all measured."""
    if training_times is None:
        return ScoredRun(name, settings, results)
    minutes: dict[int, float] = {}
    for seed, result in results.items():
        # Supervised runs have one round and no clusters.
        rounds = range(max(1, len(result["rounds"])))
        paths = [training_times / TRAINING_TIME.format(run=name, seed=seed, round=number) for number in rounds]
        seconds = [read_seconds(path) for path in paths]
        if all(seconds):
            minutes[seed] = sum(map(sum, seconds)) / 60
    return ScoredRun(name, settings, results, minutes)


def format_table(
    spec: SummarizeSpec, summary: str, runs: list[ScoredRun], provenance: str, perfect_curves: Any = None
) -> str:
    """The text of one of SUMMARY_TABLES."""
    if summary == "table.csv":
        return markdown.format_csv(*tables.build_csv_rows(spec, runs, provenance, perfect_curves))
    dataset = f"{spec.dataset} (simulated)" if spec.simulated else spec.dataset
    captions = tables.build_result_captions(spec, runs)
    if summary == "table.md":
        sections = _render_sections(tables.build_result_tables(spec, runs, perfect_curves))
        return markdown.render_markdown_page(f"Results on {dataset}", captions, sections, provenance)
    captions = [*ablation.ABLATION_NOTES, *captions]
    return markdown.render_markdown_page(
        f"Ablation on {dataset}", captions, _render_sections(ablation.build_ablation_tables(spec, runs)), provenance
    )


def list_test_videos(catalog: Path, test_subset: str) -> list[str]:
    """The ids of the catalog's test videos: those of the subset, or all if the dataset has no annotations."""
    subsets = {row["video_id"]: row["subset"] for row in read_rows(catalog)}
    is_annotated = any(subsets.values())
    return [video_id for video_id, subset in subsets.items() if not is_annotated or subset == test_subset]


def add_lost_videos(detections: Mapping[str, Any], test_videos: Iterable[str]) -> dict[str, Any]:
    """A submission in which every test video has a list, and those that could not be localized are named.

    Without annotations, localize does not know of a video that has no features.
    """
    results = detections["results"]
    lost = [video_id for video_id in test_videos if video_id not in results]
    # Detections of earlier code have no such list.
    without_features = sorted({*detections["external_data"].get(WITHOUT_FEATURES, []), *lost})
    return {
        **detections,
        "results": dict(sorted({**results, **{video_id: [] for video_id in lost}}.items())),
        "external_data": {WITHOUT_FEATURES: without_features},
    }


def count_sources(catalog: Path, failures: Path) -> dict[str, int]:
    """Numbers of whole, partial, failed and missing videos, and of failure rows."""
    statuses = Counter(row["status"] for row in read_rows(catalog))
    counts = {f"videos_{status}": statuses[status] for status in ("ok", "partial", "failed", "missing")}
    return {**counts, "failures": len(read_rows(failures))}


def _render_sections(result_tables: Iterable[ResultTable]) -> list[str]:
    return [
        markdown.render_section(
            table.heading,
            markdown.render_markdown_table(table.header, table.rows, num_text_columns=table.num_text_columns)
            if table.rows
            else "",
            markdown.render_bullets(table.notes),
        )
        for table in result_tables
    ]


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
