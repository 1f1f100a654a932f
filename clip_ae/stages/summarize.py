"""Sum up a dataset: its headline run over seeds, or every run in a table beside published figures."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config.dataclass_config import plain
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.provenance import make_record
from clip_ae.data.detections import read_json
from clip_ae.data.parquet import read_parquet_record, read_rows
from clip_ae.pages import markdown
from clip_ae.provenance.read_provenance import read_record
from clip_ae.scoring import ablation, tables
from clip_ae.scoring.main_run import headline_map
from clip_ae.scoring.results import Scored, Sheet

TABLES = ("table.md", "table.csv", "ablation.md")
SUMMARIES = ("map.json", "detections.json", *TABLES)


def run(
    spec: SummarizeSpec,
    *,
    summary: Annotated[str, f"one of {', '.join(SUMMARIES)}"],
    runs: Annotated[Path, "folder of the dataset's runs"],
    videos: Annotated[Path, "videos.parquet"],
    failures: Annotated[Path, "failures.parquet"],
    out: Annotated[Path, "file to write"],
    names: Annotated[Path | None, "names.json of the first seed, to go with its detections"] = None,
) -> None:
    check(spec, summary)
    seeds = spec.seeds[:1] if summary == "detections.json" else spec.seeds
    shown = list(spec.runs) if summary in TABLES else [spec.run]
    file = "detections.json" if summary == "detections.json" else "map.json"
    paths = {(run, seed): runs / run / f"seed-{seed}" / file for run in shown for seed in seeds}
    inputs = {f"{run}/seed-{seed}": read_record(path).id for (run, seed), path in paths.items()}
    inputs |= {"names": read_record(names).id} if names else {}
    record = make_record("summarize", spec, {"videos": read_parquet_record(videos).id, **inputs})
    results = {key: json.loads(path.read_text(encoding="utf-8")) for key, path in paths.items()}
    if summary in TABLES:
        scored = [Scored(run, spec.runs[run], {seed: results[run, seed] for seed in seeds}) for run in shown]
        text = tabulate(spec, summary, scored, record.to_json())
    elif summary == "map.json":
        text = _json(headline_map(spec, list(results.values()), source_counts(videos, failures), record))
    else:
        guessed = {"names": read_json(names)["names"]} if names else {}
        text = _json({**results[spec.run, seeds[0]], "external_data": {**guessed, "provenance": plain(record)}})
    write_text(out, text)


def check(spec: SummarizeSpec, summary: str) -> None:
    if summary not in SUMMARIES:
        raise UserError(f"--summary {summary}: no such summary; known: {', '.join(SUMMARIES)}")
    if summary in TABLES and spec.run not in spec.runs:
        raise UserError(f"--cfg: runs: {summary} needs the settings of every run, {spec.run} among them")


def tabulate(spec: SummarizeSpec, summary: str, runs: list[Scored], provenance: str) -> str:
    """The text of one of TABLES."""
    if summary == "table.csv":
        return markdown.csv_text(*tables.spreadsheet(spec, runs, provenance))
    of = f"{spec.dataset} (simulated)" if spec.simulated else spec.dataset
    lead = tables.captions(spec, runs)
    if summary == "table.md":
        return markdown.page(f"Results on {of}", lead, _sections(tables.sheets(spec, runs)), provenance)
    lead = [*ablation.LEAD, *lead]
    return markdown.page(f"Ablation on {of}", lead, _sections(ablation.sheets(spec, runs)), provenance)


def source_counts(videos: Path, failures: Path) -> dict[str, int]:
    """How many videos were whole, partial, failed or missing, and how many rows tell why."""
    statuses = Counter(row["status"] for row in read_rows(videos))
    counts = {f"videos_{status}": statuses[status] for status in ("ok", "partial", "failed", "missing")}
    return {**counts, "failures": len(read_rows(failures))}


def _sections(sheets: Iterable[Sheet]) -> list[str]:
    return [
        markdown.section(
            sheet.heading,
            markdown.table(sheet.header, sheet.rows, text=sheet.text) if sheet.rows else "",
            markdown.bullets(sheet.notes),
        )
        for sheet in sheets
    ]


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
