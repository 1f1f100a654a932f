"""The gain of feature adapters: runs on adapted features next to the same runs on the extracted features."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.score_columns import format_column_heading
from clip_ae.scoring.paired import CONFIDENCE, compare_paired
from clip_ae.scoring.results import (
    ResultTable,
    ScoredRun,
    describe_source,
    format_mean_sd,
    format_run_title,
    list_tiou_ranges,
    sort_runs,
)


def build_adapter_tables(spec: SummarizeSpec, runs: Sequence[ScoredRun]) -> list[ResultTable]:
    """One table; an empty list if no run reads adapted features."""
    pairs = [(run, _find_unadapted(run, runs)) for run in sort_runs(runs) if run.settings.feature_adapter]
    if not pairs:
        return []
    widest = list_tiou_ranges(runs[0])[-1]
    header = ["method", "run", "source", "purity, first and last round", format_column_heading(widest)]
    header += ["unadapted", "difference", f"{100 * CONFIDENCE:.0f} % interval"]
    rows = [
        [
            format_run_title(spec, run.settings),
            run.name,
            describe_source(spec),
            _format_purity(run),
            format_mean_sd(run.get_percent_by_seed(widest).values()),
            *_format_gain(run, unadapted, widest),
        ]
        for run, unadapted in pairs
    ]
    note = (
        "Unadapted: the same run on the extracted features. Differences are taken seed by seed. All seeds of a run "
        "read the same adapted features, so no interval covers the seed of the adapter."
    )
    return [ResultTable("Feature adapters, average mAP, %", header, rows, 4, (note,))]


def _find_unadapted(run: ScoredRun, runs: Sequence[ScoredRun]) -> ScoredRun | None:
    """The run with the same settings on the extracted features."""
    unadapted = replace(run.settings, feature_adapter=None)
    return next((other for other in runs if other.settings == unadapted), None)


def _format_gain(run: ScoredRun, unadapted: ScoredRun | None, column: str) -> list[str]:
    """Cells: mean of the unadapted run, difference to it, interval of the difference."""
    if unadapted is None:
        return ["-"] * 3
    unadapted_percent = unadapted.get_percent_by_seed(column)
    gain = compare_paired(run.get_percent_by_seed(column), unadapted_percent)
    interval = "{:+.1f} to {:+.1f}".format(*gain.interval) if gain.interval else "-"
    return [format_mean_sd(unadapted_percent.values()), f"{gain.mean:+.1f}", interval]


def _format_purity(run: ScoredRun) -> str:
    """Purity of the first and the last round in percent, means over seeds; `-` for a run without clusters."""
    rounds = [r["rounds"] for r in run.results.values() if r["rounds"]]
    if not rounds:
        return "-"
    means = (statistics.fmean(seed_rounds[number]["purity"] for seed_rounds in rounds) for number in (0, -1))
    return ", ".join(f"{100 * mean:.0f}" for mean in means)
