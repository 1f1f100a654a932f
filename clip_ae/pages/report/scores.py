"""Headline numbers with intervals, beside the published ones; mAP over tIoU; AP a class."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from clip_ae.core.tiou_ranges import list_score_columns, sort_by_width
from clip_ae.pages import charts
from clip_ae.pages.page import render_card, render_figure, render_heading, render_html_table, render_key_numbers
from clip_ae.pages.text_table import format_percent

# A map.json of every seed.
ResultsBySeed = Mapping[int, Mapping[str, Any]]
# Ends of an interval by kind of score and column, as map.json has them.
Intervals = Mapping[str, Mapping[str, Sequence[float]]]
# By kind of score and column.
Metrics = Mapping[str, Mapping[str, float]]
# In percent by column, as a paper prints it; None where it has a blank.
PublishedMetrics = Mapping[str, float | None]


def render_scores(
    results: ResultsBySeed, intervals: Intervals | None, published: Mapping[str, PublishedMetrics]
) -> str:
    """The published rows are of the same method, under their names."""
    listed = list(results.values())
    mean, chance = average_over_seeds(listed), average_over_seeds([r["chance"] for r in listed])
    return "".join(
        [
            render_key_numbers(_headline(listed, mean, chance, intervals, published)),
            render_html_table(
                "Mean average precision, %",
                ["tIoU", *_names(listed[0])],
                _rows(results, mean, chance, intervals, published),
            ),
            render_figure("mAP over tIoU", _words(intervals), _over_tiou(listed[0], mean, intervals, published)),
            render_heading("Average precision a class, %"),
            render_card(charts.render_bars(_classes(listed))),
        ]
    )


def average_over_seeds(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Of every mAP and average, over the seeds."""
    return {kind: {c: fmean(r[kind][c] for r in results) for c in results[0][kind]} for kind in ("mAP", "average")}


def _headline(
    results: Sequence[Mapping[str, Any]],
    mean: Metrics,
    chance: Metrics,
    interval: Intervals | None,
    published: Mapping[str, PublishedMetrics],
) -> dict[str, str]:
    *_, widest = sort_by_width(results[0]["average"])
    seeds = [r["average"][widest] for r in results]
    spread = f" ± {format_percent(stdev(seeds))}" if len(seeds) > 1 else ""
    of = f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed"
    shown = {f"average mAP, tIoU {widest}, {of}": f"{format_percent(mean['average'][widest])}{spread}"}
    if interval:
        shown["95 % on other videos"] = _span(interval["average"][widest])
    shown |= {f"{name}, published": f"{row[widest]:.1f}" for name, row in published.items() if row.get(widest)}
    shown["chance: same segments, shuffled clusters"] = format_percent(chance["average"][widest])
    if results[0]["rounds"]:
        shown["purity of the last clusters"] = format_percent(fmean(r["rounds"][-1]["purity"] for r in results))
    return shown


def _rows(
    results: ResultsBySeed,
    mean: Metrics,
    chance: Metrics,
    interval: Intervals | None,
    published: Mapping[str, PublishedMetrics],
) -> list[list[str]]:
    found = list_score_columns(next(iter(results.values())))
    return [
        *([f"seed {seed}", *(format_percent(r[kind][c]) for kind, c in found)] for seed, r in results.items()),
        ["mean", *(format_percent(mean[kind][c]) for kind, c in found)],
        *_ends(interval, found),
        *([f"{name}, published", *(_printed(row.get(c)) for _, c in found)] for name, row in published.items()),
        ["chance", *(format_percent(chance[kind][c]) for kind, c in found)],
    ]


def _ends(interval: Intervals | None, found: Sequence[tuple[str, str]]) -> list[list[str]]:
    """In two rows, as both ends in one would make columns wide."""
    if interval is None:
        return []
    words = ("95 % from", "to")
    return [[word, *(format_percent(interval[kind][c][end]) for kind, c in found)] for end, word in enumerate(words)]


def _over_tiou(
    first: Mapping[str, Any],
    mean: Metrics,
    interval: Intervals | None,
    published: Mapping[str, PublishedMetrics],
) -> str:
    tiou = sorted(first["mAP"], key=float)
    lines = {"mean of the seeds": [(float(t), 100 * mean["mAP"][t]) for t in tiou]}
    for name, row in published.items():
        printed = [(float(t), value) for t in tiou if (value := row.get(t)) is not None]
        lines |= {f"{name}, published": printed} if printed else {}
    ends = interval["mAP"] if interval else {}
    band = [(float(t), 100 * ends[t][0], 100 * ends[t][1]) for t in tiou if t in ends]
    words = ", ".join(f"{y:.1f} at {x:g}" for x, y in lines["mean of the seeds"])
    return charts.render_curves(lines, f"mAP over tIoU: {words}", band=band)


def _words(interval: Intervals | None) -> str:
    return f"in %{'; the band is 95 % on other videos' if interval else ''}"


def _classes(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    names = results[0]["per_class"]
    found = {name: fmean(fmean(r["per_class"][name].values()) for r in results) for name in names}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _names(result: Mapping[str, Any]) -> list[str]:
    return [c for _, c in list_score_columns(result)]


def _span(ends: Sequence[float]) -> str:
    return " to ".join(format_percent(end) for end in ends)


def _printed(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
