"""What post-pre-training brings: runs on taught features beside the very same on the extracted ones."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.scoring.paired import CONFIDENCE, paired
from clip_ae.scoring.results import Scored, Sheet, averages, heading, mean_sd, ordered, source, title


def sheets(spec: SummarizeSpec, runs: Sequence[Scored]) -> list[Sheet]:
    """None where no run reads taught features."""
    pairs = [(run, _without(run, runs)) for run in ordered(runs) if run.settings.features]
    if not pairs:
        return []
    widest = averages(runs[0])[-1]
    header = ["method", "run", "source", "purity, first and last round", heading(widest)]
    header += ["without", "difference", f"{100 * CONFIDENCE:.0f} % interval"]
    rows = [
        [title(spec, run.settings), run.name, source(spec), _purity(run), mean_sd(run.percent(widest).values()),
         *_beside(run, bare, widest)]
        for run, bare in pairs
    ]  # fmt: skip
    note = (
        "Without: the same run on the extracted features. Differences are taken seed by seed; all seeds of a run read "
        "the same taught features, whose own seed is in none of the intervals."
    )
    return [Sheet("Post-pre-training, average mAP, %", header, rows, 4, (note,))]


def _without(run: Scored, runs: Sequence[Scored]) -> Scored | None:
    bare = replace(run.settings, features=None)
    return next((other for other in runs if other.settings == bare), None)


def _beside(run: Scored, bare: Scored | None, column: str) -> list[str]:
    if bare is None:
        return ["-"] * 3
    found = paired(run.percent(column), bare.percent(column))
    interval = "{:+.1f} to {:+.1f}".format(*found.interval) if found.interval else "-"
    return [mean_sd(bare.percent(column).values()), f"{found.mean:+.1f}", interval]


def _purity(run: Scored) -> str:
    """In percent, means over seeds; told classes have none."""
    rounds = [r["rounds"] for r in run.results.values() if r["rounds"]]
    if not rounds:
        return "-"
    return ", ".join(f"{100 * statistics.fmean(found[number]['purity'] for found in rounds):.0f}" for number in (0, -1))
