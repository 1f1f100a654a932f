"""Scored runs of a dataset: their order, titles and formatted metrics in tables."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clip_ae.core.config.methods import CafAudio, Run
from clip_ae.core.config.registry import METHODS
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.score_columns import list_score_columns, list_score_kinds
from clip_ae.core.tiou_ranges import sort_by_width
from clip_ae.scoring.published import METHOD_ORDER

AUDIO_TITLES: dict[CafAudio, str] = {"own": "", "next_video": ", audio of the next video", "none": ", no audio"}
SUPERVISION_ORDER = ("weak", "unsupervised", "full")


@dataclass(frozen=True)
class ScoredRun:
    """A run with its settings, the map.json of each seed, and the minutes of training of each measured seed."""

    name: str
    settings: Run
    results: Mapping[int, Any]
    training_minutes: Mapping[int, float] = field(default_factory=dict)

    @property
    def first_result(self) -> Any:
        """The map.json of the first seed."""
        return next(iter(self.results.values()))

    def get_percent_by_seed(self, column: str) -> dict[int, float]:
        """mAP of a column, which is a frame protocol, a tIoU or a range of tIoU, in percent by seed."""
        kind = next(k for k in list_score_kinds(self.first_result) if column in self.first_result[k])
        return {seed: 100 * r[kind][column] for seed, r in self.results.items()}


@dataclass(frozen=True)
class ResultTable:
    """A table with its heading above and its notes below; the first num_text_columns hold text, the others numbers."""

    heading: str
    header: list[str]
    rows: list[list[str]]
    num_text_columns: int
    notes: tuple[str, ...] = ()


def list_metric_columns(run: ScoredRun) -> list[str]:
    """The frame protocol if there is one, tIoU thresholds, rising, then ranges, the widest last."""
    return [column for _, column in list_score_columns(run.first_result)]


def list_tiou_ranges(run: ScoredRun) -> list[str]:
    """Ranges of tIoU, the widest last."""
    return sort_by_width(run.first_result["average"])


def sort_runs(runs: Iterable[ScoredRun]) -> list[ScoredRun]:
    """Table order; runs of one method: without modules, with CAF, with CCP, with both."""

    def key(run: ScoredRun) -> tuple[tuple[int, int], int, str, str]:
        s = run.settings
        return (
            get_row_sort_key(s.supervision, METHODS[s.method].title),
            bool(s.caf) + 2 * bool(s.ccp),
            s.feature_adapter or "",
            run.name,
        )

    return sorted(runs, key=key)


def get_row_sort_key(supervision: str, method: str) -> tuple[int, int]:
    """Sort key: supervision, then the paper's order of methods; other methods last."""
    method_rank = METHOD_ORDER.index(method) if method in METHOD_ORDER else len(METHOD_ORDER)
    return SUPERVISION_ORDER.index(supervision), method_rank


def describe_source(spec: SummarizeSpec) -> str:
    """Cell of the column `source` for a run of ours."""
    return "ours, simulated" if spec.simulated else "ours"


def format_run_title(spec: SummarizeSpec, run: Run) -> str:
    """Title of a run: method, modules, whether it is a reconstruction, its clusters, streams, features and segments."""
    method = METHODS[run.method]
    base = f" over {METHODS[run.ugct.base_head].title}" if run.ugct and run.ugct.base_head != method.head else ""
    modules = " + ".join(name for name, module in (("CAF", run.caf), ("CCP", run.ccp)) if module)
    modules = f", {modules or 'no module'}" if run.method == "clip_ae" else ""
    features = f", {spec.feature_adapters[run.feature_adapter].description}" if run.feature_adapter else ""
    reconstructed = " (reconstructed)" if method.reconstruction_note else ""
    clusters = ", clusters after FEEL (reconstructed)" if run.has_feel_clusters else ""
    segments = ", whole videos" if run.localization and run.localization.segments == "whole_video" else ""
    streams = f", cbp: {' + '.join(run.cbp_streams)}" if run.cbp_streams else ""
    number = f", {run.clusters} clusters" if run.clusters else ""
    streams += f", vlp: {run.vlp_stream}" if run.vlp_stream else ""
    audio = AUDIO_TITLES[run.caf.audio] if run.caf else ""
    return f"{method.title}{base}{modules}{reconstructed}{number}{clusters}{streams}{audio}{features}{segments}"


def format_mean_sd(values: Iterable[float]) -> str:
    """`mean ± sd`; the mean alone for one value, `-` for none."""
    return " ± ".join(filter(None, format_mean_and_sd_cells(list(values), ".1f"))) or "-"


def format_mean_and_sd_cells(values: Sequence[float], format_spec: str) -> tuple[str, str]:
    """Mean and sd as texts; empty where there are too few values."""
    mean = format(statistics.fmean(values), format_spec) if values else ""
    return mean, format(statistics.stdev(values), format_spec) if len(values) > 1 else ""
