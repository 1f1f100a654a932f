"""Scored runs of a dataset: their order, their names and their figures, as tables show them."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clip_ae.core.config.methods import Run
from clip_ae.core.config.registry import METHODS
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.tiou_ranges import sort_by_width
from clip_ae.scoring.published import METHOD_ORDER

SUPERVISION_ORDER = ("weak", "unsupervised", "full")


@dataclass(frozen=True)
class ScoredRun:
    """A run, its settings, and its map.json of every seed."""

    name: str
    settings: Run
    results: Mapping[int, Any]

    @property
    def first_result(self) -> Any:
        return next(iter(self.results.values()))

    def get_percent_by_seed(self, column: str) -> dict[int, float]:
        """Of one tIoU or one average, by seed."""
        return {seed: 100 * {**r["mAP"], **r["average"]}[column] for seed, r in self.results.items()}


@dataclass(frozen=True)
class ResultTable:
    """A table under a heading: its first `text` columns are words; notes stand below."""

    heading: str
    header: list[str]
    rows: list[list[str]]
    num_text_columns: int
    notes: tuple[str, ...] = ()


def list_metric_columns(run: ScoredRun) -> list[str]:
    return [*sorted(run.first_result["mAP"], key=float), *list_tiou_ranges(run)]


def list_tiou_ranges(run: ScoredRun) -> list[str]:
    return sort_by_width(run.first_result["average"])


def format_column_heading(column: str) -> str:
    return f"avg {column}" if ":" in column else column


def sort_runs(runs: Iterable[ScoredRun]) -> list[ScoredRun]:
    """In the order of the table; of one method without modules first, then with CAF, with CCP, with both."""

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
    """By supervision, then by method in the paper's order."""
    return SUPERVISION_ORDER.index(supervision), METHOD_ORDER.index(method) if method in METHOD_ORDER else len(
        METHOD_ORDER
    )


def describe_source(spec: SummarizeSpec) -> str:
    return "ours, simulated" if spec.simulated else "ours"


def format_run_title(spec: SummarizeSpec, run: Run) -> str:
    """What a run is, with its modules and its features; it says so where the method is a reconstruction."""
    method = METHODS[run.method]
    over = f" over {METHODS[run.ugct.base_head].title}" if run.ugct and run.ugct.base_head != method.head else ""
    modules = " + ".join(name for name, module in (("CAF", run.caf), ("CCP", run.ccp)) if module)
    shown = f", {modules or 'no module'}" if run.method == "clip_ae" else ""
    taught = f", {spec.feature_adapters[run.feature_adapter].description}" if run.feature_adapter else ""
    return f"{method.title}{over}{shown}{' (reconstructed)' if method.reconstruction_note else ''}{taught}"


def format_mean_sd(values: Iterable[float]) -> str:
    """`mean ± sd`; the mean alone where nothing spreads."""
    return " ± ".join(filter(None, format_mean_and_sd_cells(list(values), ".1f"))) or "-"


def format_mean_and_sd_cells(values: Sequence[float], format_spec: str) -> tuple[str, str]:
    """Each is empty where there are too few values for it."""
    mean = format(statistics.fmean(values), format_spec) if values else ""
    return mean, format(statistics.stdev(values), format_spec) if len(values) > 1 else ""
