"""What a dataset's results table says: every run over its seeds, beside the published figures."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clip_ae.core.config.registry import METHODS
from clip_ae.core.config.schema import CLUSTER_MAPPINGS
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.scoring import adapted_features_table
from clip_ae.scoring.published import PUBLISHED, PUBLISHED_NOTES, SELECTION_NOTE, PublishedRow
from clip_ae.scoring.results import (
    ResultTable,
    ScoredRun,
    describe_source,
    format_column_heading,
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
    """A line of the results table: in every column a value a seed, one where published, none where blank."""

    text_cells: list[str]
    metrics: Mapping[str, Sequence[float]]


def build_result_captions(spec: SummarizeSpec, runs: Sequence[ScoredRun]) -> list[str]:
    """What a reader must know before any figure."""
    headline = next(run for run in runs if run.name == spec.main_run)
    widest = list_tiou_ranges(headline)[-1]
    chance = statistics.fmean(100 * r["chance"]["average"][widest] for r in headline.results.values())
    lines = [
        f"Here mAP is in percent; our rows are mean ± sd over seeds {', '.join(map(str, spec.seeds))}.",
        f"Protocol, as every map.json states it: {headline.first_result['protocol']}",
        f"Clusters are named by the rule {headline.first_result['mapping']['headline']}. By rule too, what is scored "
        "is the last training step of the last round, never the best by test mAP.",
        f"Chance level of {spec.main_run}, average over tIoU {widest}: {chance:.1f}.",
    ]
    lines.append(
        "All our rows share the dataset's schedule, proposals and suppression; a rival's own paper may have others."
    )
    named = {METHODS[run.settings.method].title: METHODS[run.settings.method].reconstruction_note for run in runs}
    reasons = "; ".join(f"{method}, {reason}" for method, reason in named.items() if reason)
    if reasons:
        lines.append(f"Reconstructed, as not all of text and code could be had: {reasons}.")
    if spec.simulated:
        lines.append("Our rows are of simulated features: compare them with each other, not with published ones.")
    return lines


def build_result_tables(spec: SummarizeSpec, runs: Sequence[ScoredRun]) -> list[ResultTable]:
    """The results, the clusters of every run and of every round, and the three mappings."""
    found = list_metric_columns(runs[0])
    body = [
        [*row.text_cells, *(format_mean_sd(row.metrics[c]) for c in found)] for row in build_result_rows(spec, runs)
    ]
    notes = (*PUBLISHED_NOTES[spec.published], SELECTION_NOTE) if spec.published else ()
    results = ResultTable(
        "Mean average precision, %", [*TEXT_COLUMNS, *map(format_column_heading, found)], body, len(TEXT_COLUMNS), notes
    )
    clustered = [run for run in sort_runs(runs) if run.first_result["rounds"]]
    if not clustered:
        return [results]
    by_round = [_rounds(run) for run in clustered if run.name == spec.main_run]
    return [
        results,
        *adapted_features_table.build_adapter_tables(spec, runs),
        _last_rounds(clustered),
        *by_round,
        _mappings(clustered),
    ]


def build_csv_rows(
    spec: SummarizeSpec, runs: Sequence[ScoredRun], provenance: str
) -> tuple[list[str], list[list[str]]]:
    """The results with means and sds apart.

    The record is a cell of the first row, so that nothing but a plain table meets the reader.
    """
    found = list_metric_columns(runs[0])
    header = [*TEXT_COLUMNS, *(name for c in found for name in (c, f"{c} sd")), "provenance"]
    body = [
        [*row.text_cells, *(cell for c in found for cell in format_mean_and_sd_cells(row.metrics[c], ".4g"))]
        for row in build_result_rows(spec, runs)
    ]
    return header, [[*cells, "" if i else provenance] for i, cells in enumerate(body)]


def build_result_rows(spec: SummarizeSpec, runs: Sequence[ScoredRun]) -> list[ResultRow]:
    """By supervision, then by method in the paper's order; a method's published row stands before ours."""
    found = list_metric_columns(runs[0])
    theirs = [
        (get_row_sort_key(p.supervision, p.title), _theirs(p, found)) for p in PUBLISHED.get(spec.published or "", ())
    ]
    ours = [
        (get_row_sort_key(run.settings.supervision, METHODS[run.settings.method].title), _ours(spec, run, found))
        for run in sort_runs(runs)
    ]
    return [row for _, row in sorted([*theirs, *ours], key=lambda pair: pair[0])]


def _theirs(row: PublishedRow, found: Iterable[str]) -> ResultRow:
    known = {c: row.metrics.get(c) for c in found}
    words = [row.supervision, row.method, "-", "published"]
    return ResultRow(words, {c: [] if value is None else [value] for c, value in known.items()})


def _ours(spec: SummarizeSpec, run: ScoredRun, found: Iterable[str]) -> ResultRow:
    words = [run.settings.supervision, format_run_title(spec, run.settings), run.name, describe_source(spec)]
    return ResultRow(words, {c: list(run.get_percent_by_seed(c).values()) for c in found})


def _last_rounds(runs: Sequence[ScoredRun]) -> ResultTable:
    note = (
        "Clusters against the classes of the training videos, which no training reads; means over seeds. "
        "A class is covered where it is the most frequent one of some cluster."
    )
    body = [[run.name, *_quality(run, -1)] for run in runs]
    return ResultTable("Clusters of the last round", ["run", *CLUSTER_COLUMNS], body, 1, (note,))


def _rounds(run: ScoredRun) -> ResultTable:
    body = [[str(number), *_quality(run, number)] for number in range(len(run.first_result["rounds"]))]
    return ResultTable(f"Clusters of every round, {run.name}", ["round", *CLUSTER_COLUMNS], body, 1)


def _quality(run: ScoredRun, number: int) -> list[str]:
    def mean(name: str) -> float:
        return statistics.fmean(r["rounds"][number][name] for r in run.results.values())

    return [
        *(f"{mean(name):.3f}" for name in ("purity", "nmi", "ari")),
        f"{mean('covered'):.1f} of {mean('classes'):g}",
        *(f"{mean(name):.1f}" for name in ("smallest", "largest")),
    ]


def _mappings(runs: Sequence[ScoredRun]) -> ResultTable:
    def cells(run: ScoredRun, rule: str) -> list[str]:
        found = [r["mapping"][rule]["average"] for r in run.results.values()]
        return [format_mean_sd(100 * scores[c] for scores in found) for c in list_tiou_ranges(run)]

    body = [[run.name, rule, *cells(run, rule)] for run in runs for rule in CLUSTER_MAPPINGS]
    note = "The same detections, their clusters named by every rule; hungarian, one to one, is the strictest."
    return ResultTable(
        "Mappings, average mAP, %",
        ["run", "mapping", *map(format_column_heading, list_tiou_ranges(runs[0]))],
        body,
        2,
        (note,),
    )
