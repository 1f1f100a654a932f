"""What post-pre-training brings: runs on taught features beside the very same on the extracted ones."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.scoring.paired import CONFIDENCE, compare_paired
from clip_ae.scoring.results import (
    ResultTable,
    ScoredRun,
    describe_source,
    format_column_heading,
    format_mean_sd,
    format_run_title,
    list_tiou_ranges,
    sort_runs,
)


def build_adapter_tables(spec: SummarizeSpec, runs: Sequence[ScoredRun]) -> list[ResultTable]:
    """None where no run reads taught features."""
    pairs = [(run, _without(run, runs)) for run in sort_runs(runs) if run.settings.feature_adapter]
    if not pairs:
        return []
    widest = list_tiou_ranges(runs[0])[-1]
    header = ["method", "run", "source", "purity, first and last round", format_column_heading(widest)]
    header += ["without", "difference", f"{100 * CONFIDENCE:.0f} % interval"]
    rows = [
        [
            format_run_title(spec, run.settings),
            run.name,
            describe_source(spec),
            _purity(run),
            format_mean_sd(run.get_percent_by_seed(widest).values()),
            *_beside(run, bare, widest),
        ]
        for run, bare in pairs
    ]
    note = (
        "Without: the same run on the extracted features. Differences are taken seed by seed; all seeds of a run read "
        "the same taught features, whose own seed is in none of the intervals."
    )
    return [ResultTable("Post-pre-training, average mAP, %", header, rows, 4, (note,))]


def _without(run: ScoredRun, runs: Sequence[ScoredRun]) -> ScoredRun | None:
    bare = replace(run.settings, feature_adapter=None)
    return next((other for other in runs if other.settings == bare), None)


def _beside(run: ScoredRun, bare: ScoredRun | None, column: str) -> list[str]:
    if bare is None:
        return ["-"] * 3
    found = compare_paired(run.get_percent_by_seed(column), bare.get_percent_by_seed(column))
    interval = "{:+.1f} to {:+.1f}".format(*found.interval) if found.interval else "-"
    return [format_mean_sd(bare.get_percent_by_seed(column).values()), f"{found.mean:+.1f}", interval]


def _purity(run: ScoredRun) -> str:
    """In percent, means over seeds; told classes have none."""
    rounds = [r["rounds"] for r in run.results.values() if r["rounds"]]
    if not rounds:
        return "-"
    return ", ".join(f"{100 * statistics.fmean(found[number]['purity'] for found in rounds):.0f}" for number in (0, -1))
