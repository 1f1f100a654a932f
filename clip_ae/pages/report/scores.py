"""The section Scores: key numbers, mAP by tIoU with its interval and published rows, and AP of each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from clip_ae.core.score_columns import FRAME_KIND, format_column_heading, list_score_columns, list_score_kinds
from clip_ae.core.tiou_ranges import sort_by_width
from clip_ae.pages import charts
from clip_ae.pages.page import render_card, render_figure, render_heading, render_html_table, render_key_numbers
from clip_ae.pages.text_table import format_percent

# The map.json of every seed.
ResultsBySeed = Mapping[int, Mapping[str, Any]]
# Low and high end by kind of score and column, as in map.json.
Intervals = Mapping[str, Mapping[str, Sequence[float]]]
# By kind of score and column.
Metrics = Mapping[str, Mapping[str, float]]
# Kinds of scores from left to right.
COLUMN_ORDER = (FRAME_KIND, "average", "mAP")
# In percent by column, as printed in a paper; None for a blank cell.
PublishedMetrics = Mapping[str, float | None]


@dataclass(frozen=True)
class _Scores:
    """All scores of the section: by seed, their mean, chance level, intervals, and published rows by name."""

    results: ResultsBySeed
    mean: Metrics
    chance: Metrics
    intervals: Intervals | None
    published: Mapping[str, PublishedMetrics]

    @property
    def first_result(self) -> Mapping[str, Any]:
        return next(iter(self.results.values()))

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Kind and name of each column; averages are before the tIoU, which a narrow page shows only by scrolling."""
        return sorted(list_score_columns(self.first_result), key=lambda column: COLUMN_ORDER.index(column[0]))

    def format_row(self, metrics: Metrics) -> list[str]:
        return [format_percent(metrics[kind][column]) for kind, column in self.columns]


def render_scores(
    results: ResultsBySeed, intervals: Intervals | None, published: Mapping[str, PublishedMetrics]
) -> str:
    """HTML of the section; published has rows of the same method, by name."""
    seed_results = list(results.values())
    mean, chance = average_over_seeds(seed_results), average_over_seeds([r["chance"] for r in seed_results])
    scores = _Scores(results, mean, chance, intervals, published)
    header = ["tIoU", *(format_column_heading(name) for _, name in scores.columns)]
    note = f"in %{'; the band is the 95 % interval (bootstrap over videos)' if intervals else ''}"
    return "".join(
        [
            render_key_numbers(_list_key_numbers(scores)),
            render_html_table("Mean average precision, %", header, _build_rows(scores)),
            render_figure("mAP over tIoU", note, _render_map_curves(scores)),
            render_heading("Average precision of each class, %"),
            render_card(charts.render_bars(_average_class_ap(seed_results))),
        ]
    )


def average_over_seeds(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean over seeds of every score, by kind and column."""
    return {
        kind: {c: fmean(r[kind][c] for r in results) for c in results[0][kind]} for kind in list_score_kinds(results[0])
    }


def _list_key_numbers(scores: _Scores) -> dict[str, str]:
    """The large numbers at the top, by caption."""
    *_, widest = sort_by_width(scores.first_result["average"])
    averages = [r["average"][widest] for r in scores.results.values()]
    spread = f" ± {format_percent(stdev(averages))}" if len(averages) > 1 else ""
    seeds = f"{len(averages)} seeds" if len(averages) > 1 else "1 seed"
    numbers = {f"average mAP, tIoU {widest}, {seeds}": f"{format_percent(scores.mean['average'][widest])}{spread}"}
    if scores.intervals:
        low, high = scores.intervals["average"][widest]
        numbers["95 % interval (bootstrap over videos)"] = f"{format_percent(low)} to {format_percent(high)}"
    numbers |= {f"{name}, published": f"{row[widest]:.1f}" for name, row in scores.published.items() if row.get(widest)}
    numbers["chance level: same segments, permuted clusters"] = format_percent(scores.chance["average"][widest])
    if scores.first_result["rounds"]:
        purity = fmean(r["rounds"][-1]["purity"] for r in scores.results.values())
        numbers["cluster purity, last round"] = format_percent(purity)
    counts = scores.first_result["counts"]
    if missed := counts["videos"] - counts["videos_with_detections"]:
        numbers["test videos without features or detections, scored as missed"] = f"{missed} of {counts['videos']}"
    return numbers


def _build_rows(scores: _Scores) -> list[list[str]]:
    return [
        *([f"seed {seed}", *scores.format_row(result)] for seed, result in scores.results.items()),
        ["mean", *scores.format_row(scores.mean)],
        *_build_interval_rows(scores),
        *(
            [f"{name}, published", *(_format_published(row.get(column)) for _, column in scores.columns)]
            for name, row in scores.published.items()
        ),
        ["chance level", *scores.format_row(scores.chance)],
    ]


def _build_interval_rows(scores: _Scores) -> list[list[str]]:
    """A row for each end: both ends in one cell would make the columns wide."""
    intervals = scores.intervals
    if intervals is None:
        return []
    return [
        [name, *(format_percent(intervals[kind][column][end]) for kind, column in scores.columns)]
        for end, name in enumerate(("95 % interval from", "95 % interval to"))
    ]


def _render_map_curves(scores: _Scores) -> str:
    """Chart of mAP over tIoU: mean of the seeds with its interval, and published rows."""
    tiou = sorted(scores.first_result["mAP"], key=float)
    mean_line = [(float(t), 100 * scores.mean["mAP"][t]) for t in tiou]
    lines = {"mean of the seeds": mean_line}
    for name, row in scores.published.items():
        published_line = [(float(t), value) for t in tiou if (value := row.get(t)) is not None]
        lines |= {f"{name}, published": published_line} if published_line else {}
    ends = scores.intervals["mAP"] if scores.intervals else {}
    band = [(float(t), 100 * ends[t][0], 100 * ends[t][1]) for t in tiou if t in ends]
    values = ", ".join(f"{y:.1f} at {x:g}" for x, y in mean_line)
    return charts.render_curves(lines, f"mAP over tIoU: {values}", band=band)


def _average_class_ap(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """AP of each class, mean over tIoU and seeds, best first."""
    classes = results[0]["per_class"]
    ap = {name: fmean(fmean(r["per_class"][name].values()) for r in results) for name in classes}
    return dict(sorted(ap.items(), key=lambda pair: (-pair[1], pair[0])))


def _format_published(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
