"""Summarize a dataset: the main run over its seeds, or a table of all runs and published results."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.paths import SUMMARIES, SUMMARY_TABLES
from clip_ae.core.provenance import make_provenance
from clip_ae.data.detections import read_json_object
from clip_ae.data.parquet import read_parquet_provenance, read_rows
from clip_ae.pages import markdown
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.scoring import ablation, tables
from clip_ae.scoring.main_run import build_main_run_map
from clip_ae.scoring.results import ResultTable, ScoredRun


def run(
    spec: SummarizeSpec,
    *,
    summary: Annotated[str, f"one of {', '.join(SUMMARIES)}"],
    runs: Annotated[Path, "folder of the dataset's runs"],
    catalog: Annotated[Path, "videos.parquet"],
    failures: Annotated[Path, "failures.parquet"],
    out: Annotated[Path, "file to write"],
    cluster_names: Annotated[Path | None, "names.json of the first seed, to add to detections.json"] = None,
) -> None:
    check_summary(spec, summary)
    seeds = spec.seeds[:1] if summary == "detections.json" else spec.seeds
    run_names = list(spec.runs) if summary in SUMMARY_TABLES else [spec.main_run]
    file_name = "detections.json" if summary == "detections.json" else "map.json"
    paths = {(run, seed): runs / run / f"seed-{seed}" / file_name for run in run_names for seed in seeds}
    inputs = {f"{run}/seed-{seed}": read_provenance(path).id for (run, seed), path in paths.items()}
    inputs |= {"cluster_names": read_provenance(cluster_names).id} if cluster_names else {}
    provenance = make_provenance("summarize", spec, {"catalog": read_parquet_provenance(catalog).id, **inputs})
    results = {key: json.loads(path.read_text(encoding="utf-8")) for key, path in paths.items()}
    if summary in SUMMARY_TABLES:
        scored = [ScoredRun(run, spec.runs[run], {seed: results[run, seed] for seed in seeds}) for run in run_names]
        text = format_table(spec, summary, scored, provenance.to_json())
    elif summary == "map.json":
        text = _json(build_main_run_map(spec, list(results.values()), count_sources(catalog, failures), provenance))
    else:
        names = {"names": read_json_object(cluster_names)["names"]} if cluster_names else {}
        external_data = {**names, "provenance": to_plain_data(provenance)}
        text = _json({**results[spec.main_run, seeds[0]], "external_data": external_data})
    write_text(out, text)


def check_summary(spec: SummarizeSpec, summary: str) -> None:
    if summary not in SUMMARIES:
        raise UserError(f"--summary {summary}: no such summary; expected one of {', '.join(SUMMARIES)}")
    if summary in SUMMARY_TABLES and spec.main_run not in spec.runs:
        raise UserError(f"--spec: runs: {summary} needs the settings of every run, also of {spec.main_run}")


def format_table(spec: SummarizeSpec, summary: str, runs: list[ScoredRun], provenance: str) -> str:
    """The text of one of SUMMARY_TABLES."""
    if summary == "table.csv":
        return markdown.format_csv(*tables.build_csv_rows(spec, runs, provenance))
    dataset = f"{spec.dataset} (simulated)" if spec.simulated else spec.dataset
    captions = tables.build_result_captions(spec, runs)
    if summary == "table.md":
        return markdown.render_markdown_page(
            f"Results on {dataset}", captions, _render_sections(tables.build_result_tables(spec, runs)), provenance
        )
    captions = [*ablation.ABLATION_NOTES, *captions]
    return markdown.render_markdown_page(
        f"Ablation on {dataset}", captions, _render_sections(ablation.build_ablation_tables(spec, runs)), provenance
    )


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
