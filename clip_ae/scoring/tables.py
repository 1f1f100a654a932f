"""The results tables of a dataset: every run with its mean over seeds, and the published rows."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clip_ae.core.config.registry import METHODS
from clip_ae.core.config.schema import CLUSTER_MAPPING_NAMES
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.missed_videos import describe_missed_videos
from clip_ae.core.score_columns import format_column_heading
from clip_ae.scoring import adapted_features_table
from clip_ae.scoring.bounds import build_bounds_table, format_csv_bound
from clip_ae.scoring.cost_columns import COST_COLUMNS, COST_NOTE, format_cost_cells
from clip_ae.scoring.curves_table import build_curves_table
from clip_ae.scoring.published import PUBLISHED, PUBLISHED_NOTES, SELECTION_NOTE, PublishedRow
from clip_ae.scoring.results import (
    ResultTable,
    ScoredRun,
    describe_source,
    format_mean_and_sd_cells,
    format_mean_sd,
    format_run_title,
    get_row_sort_key,
    list_metric_columns,
    list_tiou_ranges,
    sort_runs,
)

TEXT_COLUMNS = ["supervision", "method", "run", "source"]
CLUSTER_COLUMNS = ["purity", "NMI", "ARI", "classes covered", "smallest", "largest"]


@dataclass(frozen=True)
class ResultRow:
    """A row of the results table: values by column; one for each seed, one if published, none if blank.

    `run`: the run behind the row; None if published.
    """

    text_cells: list[str]
    metrics: Mapping[str, Sequence[float]]
    run: ScoredRun | None = None

    def format_costs(self, *, for_csv: bool = False) -> list[str]:
        """Cells of COST_COLUMNS."""
        blank = "" if for_csv else "-"
        return format_cost_cells(self.run, for_csv=for_csv) if self.run else [blank] * len(COST_COLUMNS)


def build_result_captions(spec: SummarizeSpec, runs: Sequence[ScoredRun]) -> list[str]:
    """Lines above the results: units, protocol, cluster mapping, chance level, reconstructions."""
    main_run = next(run for run in runs if run.name == spec.main_run)
    widest = list_tiou_ranges(main_run)[-1]
    chance = statistics.fmean(100 * r["chance"]["average"][widest] for r in main_run.results.values())
    lines = [
        f"mAP is in percent; our rows are mean ± sd over seeds {', '.join(map(str, spec.seeds))}.",
        f"Protocol, as in every map.json: {main_run.first_result['protocol']}",
        f"Clusters get class names by the rule {main_run.first_result['mapping']['headline']}. The scored model is "
        "that of the last training step of the last round, never the one with the best test mAP.",
        f"Chance level of {spec.main_run}, average over tIoU {widest}: {chance:.1f}.",
        "All our rows use the dataset's training schedule, proposals and non-maximum suppression; the paper of another "
        "method may use others.",
    ]
    if missed := _list_missed_videos(runs):
        lines.append(f"**Their actions count as missed:** {missed}. failures.parquet has those that cannot be read.")
    if reconstructions := _list_reconstructions(runs):
        lines.append(f"Reconstructed, because paper and code were not both available in full: {reconstructions}.")
    if spec.simulated:
        lines.append("Our rows are of simulated features: compare them with each other, not with published ones.")
    return lines


def _list_missed_videos(runs: Sequence[ScoredRun]) -> str:
    """The test videos without detections in the first seed of each run that has some; equal numbers once."""
    by_number: dict[str, list[str]] = {}
    for run in runs:
        if missed := describe_missed_videos(run.first_result["counts"]):
            by_number.setdefault(missed, []).append(run.name)
    return "; ".join(f"{missed} in {', '.join(names)}" for missed, names in by_number.items())


def _list_reconstructions(runs: Sequence[ScoredRun]) -> str:
    """Each reconstructed method with the reason."""
    notes = {METHODS[run.settings.method].title: METHODS[run.settings.method].reconstruction_note for run in runs}
    return "; ".join(f"{method}, {note}" for method, note in notes.items() if note)


def build_result_tables(
    spec: SummarizeSpec, runs: Sequence[ScoredRun], perfect_curves: Any = None
) -> list[ResultTable]:
    """The results, bounds, curves, feature adapters, clusters of all runs and rounds of the main run, and mappings.

    `perfect_curves`: their map.json; without it there is no table of bounds.
    """
    bounds = [build_bounds_table(perfect_curves)] if perfect_curves else []
    tables = [_build_metrics_table(spec, runs), *bounds, build_curves_table(sort_runs(runs))]
    clustered_runs = [run for run in sort_runs(runs) if run.first_result["rounds"]]
    if not clustered_runs:
        return tables
    return [
        *tables,
        *adapted_features_table.build_adapter_tables(spec, runs),
        _build_last_round_table(clustered_runs),
        *(_build_rounds_table(run) for run in clustered_runs if run.name == spec.main_run),
        _build_mapping_table(clustered_runs),
    ]


def _build_metrics_table(spec: SummarizeSpec, runs: Sequence[ScoredRun]) -> ResultTable:
    """Every run and the published rows, with the cost of our runs."""
    columns = list_metric_columns(runs[0])
    rows = [
        [*row.text_cells, *(format_mean_sd(row.metrics[c]) for c in columns), *row.format_costs()]
        for row in build_result_rows(spec, runs)
    ]
    header = [*TEXT_COLUMNS, *map(format_column_heading, columns), *COST_COLUMNS]
    published_notes = (*PUBLISHED_NOTES[spec.published], SELECTION_NOTE) if spec.published else ()
    return ResultTable("Mean average precision, %", header, rows, len(TEXT_COLUMNS), (*published_notes, COST_NOTE))


def build_csv_rows(
    spec: SummarizeSpec, runs: Sequence[ScoredRun], provenance: str, perfect_curves: Any = None
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the results, with mean and sd in separate columns; the bound, if given, is the last row.

    The provenance is a cell of the first row, so the file is a plain table without comment lines.
    """
    columns = list_metric_columns(runs[0])
    header = [*TEXT_COLUMNS, *(name for c in columns for name in (c, f"{c} sd")), *COST_COLUMNS, "provenance"]
    rows = [
        [
            *row.text_cells,
            *(cell for c in columns for cell in format_mean_and_sd_cells(row.metrics[c], ".4g")),
            *row.format_costs(for_csv=True),
        ]
        for row in build_result_rows(spec, runs)
    ]
    rows += [format_csv_bound(perfect_curves, columns, num_blanks=len(COST_COLUMNS))] if perfect_curves else []
    return header, [[*cells, "" if i else provenance] for i, cells in enumerate(rows)]


def build_result_rows(spec: SummarizeSpec, runs: Sequence[ScoredRun]) -> list[ResultRow]:
    """Rows by supervision, then by the paper's order of methods; the published row of a method is above ours."""
    columns = list_metric_columns(runs[0])
    published_rows = [
        (get_row_sort_key(row.supervision, row.title), _convert_published(row, columns))
        for row in PUBLISHED.get(spec.published or "", ())
    ]
    own_rows = [
        (
            get_row_sort_key(run.settings.supervision, METHODS[run.settings.method].title),
            _convert_run(spec, run, columns),
        )
        for run in sort_runs(runs)
    ]
    return [row for _, row in sorted([*published_rows, *own_rows], key=lambda pair: pair[0])]


def _convert_published(row: PublishedRow, columns: Iterable[str]) -> ResultRow:
    values = {c: row.metrics.get(c) for c in columns}
    text_cells = [row.supervision, row.method, "-", "published"]
    return ResultRow(text_cells, {c: [] if value is None else [value] for c, value in values.items()})


def _convert_run(spec: SummarizeSpec, run: ScoredRun, columns: Iterable[str]) -> ResultRow:
    text_cells = [run.settings.supervision, format_run_title(spec, run.settings), run.name, describe_source(spec)]
    return ResultRow(text_cells, {c: list(run.get_percent_by_seed(c).values()) for c in columns}, run)


def _build_last_round_table(runs: Sequence[ScoredRun]) -> ResultTable:
    note = (
        "Clusters compared with the classes of the training videos, which training does not read; means over seeds. "
        "A class is covered if it is the most frequent class of some cluster."
    )
    rows = [[run.name, *_format_quality(run, -1)] for run in runs]
    return ResultTable("Clusters of the last round", ["run", *CLUSTER_COLUMNS], rows, 1, (note,))


def _build_rounds_table(run: ScoredRun) -> ResultTable:
    rows = [[str(number), *_format_quality(run, number)] for number in range(len(run.first_result["rounds"]))]
    return ResultTable(f"Clusters of each round, {run.name}", ["round", *CLUSTER_COLUMNS], rows, 1)


def _format_quality(run: ScoredRun, number: int) -> list[str]:
    """Cells of CLUSTER_COLUMNS for one round, means over seeds."""

    def mean(name: str) -> float:
        return statistics.fmean(r["rounds"][number][name] for r in run.results.values())

    return [
        *(f"{mean(name):.3f}" for name in ("purity", "nmi", "ari")),
        f"{mean('covered'):.1f} of {mean('classes'):g}",
        *(f"{mean(name):.1f}" for name in ("smallest", "largest")),
    ]


def _build_mapping_table(runs: Sequence[ScoredRun]) -> ResultTable:
    """A row for each run and each mapping of clusters to classes."""
    columns = list_tiou_ranges(runs[0])

    def format_cells(run: ScoredRun, mapping: str) -> list[str]:
        averages = [r["mapping"][mapping]["average"] for r in run.results.values()]
        return [format_mean_sd(100 * average[c] for average in averages) for c in list_tiou_ranges(run)]

    rows = [[run.name, mapping, *format_cells(run, mapping)] for run in runs for mapping in CLUSTER_MAPPING_NAMES]
    note = "The same detections under each cluster mapping; hungarian, one to one, is the strictest."
    header = ["run", "mapping", *map(format_column_heading, columns)]
    return ResultTable("Cluster mappings, average mAP, %", header, rows, 2, (note,))
