"""What a dataset's results table says: every run over its seeds, beside the published figures."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clip_ae.core.config.registry import METHODS
from clip_ae.core.config.schema import MAPPINGS
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.scoring import adapted_features_table
from clip_ae.scoring.published import NOTES, PUBLISHED, SELECTION, PublishedRow
from clip_ae.scoring.results import (
    Scored,
    Sheet,
    averages,
    columns,
    heading,
    mean_and_sd,
    mean_sd,
    ordered,
    place,
    source,
    title,
)

WORDS = ["supervision", "method", "run", "source"]
CLUSTERS = ["purity", "NMI", "ARI", "classes covered", "smallest", "largest"]


@dataclass(frozen=True)
class Row:
    """A line of the results table: in every column a value a seed, one where published, none where blank."""

    words: list[str]
    figures: Mapping[str, Sequence[float]]


def captions(spec: SummarizeSpec, runs: Sequence[Scored]) -> list[str]:
    """What a reader must know before any figure."""
    headline = next(run for run in runs if run.name == spec.run)
    widest = averages(headline)[-1]
    chance = statistics.fmean(100 * r["chance"]["average"][widest] for r in headline.results.values())
    lines = [
        f"Here mAP is in percent; our rows are mean ± sd over seeds {', '.join(map(str, spec.seeds))}.",
        f"Protocol, as every map.json states it: {headline.first['protocol']}",
        f"Clusters are named by the rule {headline.first['mapping']['headline']}. By rule too, what is scored is the "
        "last training step of the last round, never the best by test mAP.",
        f"Chance level of {spec.run}, average over tIoU {widest}: {chance:.1f}.",
    ]
    lines.append(
        "All our rows share the dataset's schedule, proposals and suppression; a rival's own paper may have others."
    )
    named = {METHODS[run.settings.method].title: METHODS[run.settings.method].reconstructed for run in runs}
    reasons = "; ".join(f"{method}, {reason}" for method, reason in named.items() if reason)
    if reasons:
        lines.append(f"Reconstructed, as not all of text and code could be had: {reasons}.")
    if spec.simulated:
        lines.append("Our rows are of simulated features: compare them with each other, not with published ones.")
    return lines


def sheets(spec: SummarizeSpec, runs: Sequence[Scored]) -> list[Sheet]:
    """The results, the clusters of every run and of every round, and the three mappings."""
    found = columns(runs[0])
    body = [[*row.words, *(mean_sd(row.figures[c]) for c in found)] for row in rows(spec, runs)]
    notes = (*NOTES[spec.published], SELECTION) if spec.published else ()
    results = Sheet("Mean average precision, %", [*WORDS, *map(heading, found)], body, len(WORDS), notes)
    clustered = [run for run in ordered(runs) if run.first["rounds"]]
    if not clustered:
        return [results]
    by_round = [_rounds(run) for run in clustered if run.name == spec.run]
    return [
        results,
        *adapted_features_table.sheets(spec, runs),
        _last_rounds(clustered),
        *by_round,
        _mappings(clustered),
    ]


def spreadsheet(spec: SummarizeSpec, runs: Sequence[Scored], provenance: str) -> tuple[list[str], list[list[str]]]:
    """The results with means and sds apart.

    The record is a cell of the first row, so that nothing but a plain table meets the reader.
    """
    found = columns(runs[0])
    header = [*WORDS, *(name for c in found for name in (c, f"{c} sd")), "provenance"]
    body = [
        [*row.words, *(cell for c in found for cell in mean_and_sd(row.figures[c], ".4g"))] for row in rows(spec, runs)
    ]
    return header, [[*cells, "" if i else provenance] for i, cells in enumerate(body)]


def rows(spec: SummarizeSpec, runs: Sequence[Scored]) -> list[Row]:
    """By supervision, then by method in the paper's order; a method's published row stands before ours."""
    found = columns(runs[0])
    theirs = [(place(p.supervision, p.title), _theirs(p, found)) for p in PUBLISHED.get(spec.published or "", ())]
    ours = [
        (place(run.settings.supervision, METHODS[run.settings.method].title), _ours(spec, run, found))
        for run in ordered(runs)
    ]
    return [row for _, row in sorted([*theirs, *ours], key=lambda pair: pair[0])]


def _theirs(row: PublishedRow, found: Iterable[str]) -> Row:
    known = {c: row.figures.get(c) for c in found}
    words = [row.supervision, row.method, "-", "published"]
    return Row(words, {c: [] if value is None else [value] for c, value in known.items()})


def _ours(spec: SummarizeSpec, run: Scored, found: Iterable[str]) -> Row:
    words = [run.settings.supervision, title(spec, run.settings), run.name, source(spec)]
    return Row(words, {c: list(run.percent(c).values()) for c in found})


def _last_rounds(runs: Sequence[Scored]) -> Sheet:
    note = (
        "Clusters against the classes of the training videos, which no training reads; means over seeds. "
        "A class is covered where it is the most frequent one of some cluster."
    )
    body = [[run.name, *_quality(run, -1)] for run in runs]
    return Sheet("Clusters of the last round", ["run", *CLUSTERS], body, 1, (note,))


def _rounds(run: Scored) -> Sheet:
    body = [[str(number), *_quality(run, number)] for number in range(len(run.first["rounds"]))]
    return Sheet(f"Clusters of every round, {run.name}", ["round", *CLUSTERS], body, 1)


def _quality(run: Scored, number: int) -> list[str]:
    def mean(name: str) -> float:
        return statistics.fmean(r["rounds"][number][name] for r in run.results.values())

    return [
        *(f"{mean(name):.3f}" for name in ("purity", "nmi", "ari")),
        f"{mean('covered'):.1f} of {mean('classes'):g}",
        *(f"{mean(name):.1f}" for name in ("smallest", "largest")),
    ]


def _mappings(runs: Sequence[Scored]) -> Sheet:
    def cells(run: Scored, rule: str) -> list[str]:
        found = [r["mapping"][rule]["average"] for r in run.results.values()]
        return [mean_sd(100 * scores[c] for scores in found) for c in averages(run)]

    body = [[run.name, rule, *cells(run, rule)] for run in runs for rule in MAPPINGS]
    note = "The same detections, their clusters named by every rule; hungarian, one to one, is the strictest."
    return Sheet("Mappings, average mAP, %", ["run", "mapping", *map(heading, averages(runs[0]))], body, 2, (note,))
