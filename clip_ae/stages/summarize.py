"""Sum up the headline run: mean and sd over its seeds, or its first seed's detections."""

import json
import statistics
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config import MAPPINGS
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Record, make_record
from clip_ae.core.specs import SummarizeSpec
from clip_ae.core.typed import plain
from clip_ae.io.files import write_text
from clip_ae.io.parquet import read_parquet_record, read_rows
from clip_ae.io.records import read_record

Tree = Any


def run(
    spec: SummarizeSpec,
    *,
    summary: Annotated[str, "map or detections"],
    runs: Annotated[Path, "folder of the dataset's runs"],
    videos: Annotated[Path, "videos.parquet"],
    failures: Annotated[Path, "failures.parquet"],
    out: Annotated[Path, "JSON to write"],
) -> None:
    files = {"map": "map.json", "detections": "detections.json"}
    if summary not in files:
        raise UserError(f"--summary {summary}: expected map or detections")
    seeds = spec.seeds if summary == "map" else spec.seeds[:1]
    paths = [runs / spec.run / f"seed-{seed}" / files[summary] for seed in seeds]
    inputs = {"videos": read_parquet_record(videos).id}
    inputs |= {f"seed-{seed}": read_record(path).id for seed, path in zip(seeds, paths, strict=True)}
    record = make_record("summarize", spec, inputs)
    results = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    if summary == "map":
        content = headline_map(spec, results, source_counts(videos, failures), record)
    else:
        content = {**results[0], "external_data": {"provenance": plain(record)}}
    write_text(out, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def headline_map(spec: SummarizeSpec, results: list[Tree], sources: dict[str, int], record: Record) -> dict[str, Any]:
    """results/{dataset}_map.json: fractions, mean over seeds."""
    scores = {name: over_seeds([r[name] for r in results], statistics.fmean) for name in ("mAP", "average")}
    return {
        "dataset": spec.dataset,
        "run": spec.run,
        **scores,
        "sd": {name: over_seeds([r[name] for r in results], _sd) for name in scores},
        "chance": over_seeds([r["chance"] for r in results], statistics.fmean),
        "per_class": over_seeds([r["per_class"] for r in results], statistics.fmean),
        "mapping": {
            "headline": results[0]["mapping"]["headline"],
            **{name: over_seeds([_scores(r["mapping"][name]) for r in results], statistics.fmean) for name in MAPPINGS},
        },
        "counts": {**over_seeds([r["counts"] for r in results], statistics.fmean), **sources},
        "seeds": {
            str(seed): {**_scores(r), "chance": _scores(r["chance"]), "clusters": r["clusters"]}
            for seed, r in zip(spec.seeds, results, strict=True)
        },
        "protocol": results[0]["protocol"],
        "provenance": plain(record),
    }


def source_counts(videos: Path, failures: Path) -> dict[str, int]:
    """How many videos were whole, partial, failed or missing, and how many rows tell why."""
    statuses = Counter(row["status"] for row in read_rows(videos))
    counts = {f"videos_{status}": statuses[status] for status in ("ok", "partial", "failed", "missing")}
    return {**counts, "failures": len(read_rows(failures))}


def over_seeds(trees: list[Tree], reduce: Any) -> Tree:
    """Numbers at the same place of every tree, reduced to one; other leaves as in the first tree."""
    first = trees[0]
    if isinstance(first, dict):
        keys = dict.fromkeys(key for tree in trees for key in tree)
        return {key: over_seeds([tree[key] for tree in trees if key in tree], reduce) for key in keys}
    if isinstance(first, int | float) and not isinstance(first, bool):
        value = reduce(trees)
        return int(value) if all(isinstance(t, int) for t in trees) and value == int(value) else value
    return first


def _scores(result: Tree) -> dict[str, Tree]:
    return {name: result[name] for name in ("mAP", "average")}


def _sd(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0
