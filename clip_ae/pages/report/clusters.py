"""Which cluster became which class, and how good clusters were in every round."""

from collections.abc import Mapping, Sequence
from html import escape
from statistics import fmean
from typing import Any

from clip_ae.core.config.schema import CLUSTER_MAPPINGS
from clip_ae.core.tiou_ranges import sort_by_width
from clip_ae.pages.page import render_html_table, render_paragraph, wrap_scrollable
from clip_ae.pages.report.scores import ResultsBySeed
from clip_ae.pages.text_table import format_percent


def render_clusters(results: ResultsBySeed) -> str:
    """The matrix is the first seed's, as clusters of different seeds have nothing to do with each other."""
    first = next(iter(results.values()))
    ranges = sort_by_width(first["average"])
    mappings = [
        [name, *(format_percent(fmean(r["mapping"][name]["average"][c] for r in results.values())) for c in ranges)]
        for name in CLUSTER_MAPPINGS
    ]
    return "".join(
        [
            render_paragraph("How many training videos of each class lie in each cluster, first seed, last round."),
            render_contingency(first["mapping"]["contingency"]),
            render_html_table(
                "Every round, mean over the seeds",
                ["round", "purity, %", "NMI", "ARI", "classes covered", "smallest", "largest"],
                _rounds(results),
            ),
            render_html_table("mAP by the rule that names clusters, %", ["rule", *ranges], mappings),
        ]
    )


def render_contingency(contingency: Mapping[str, Mapping[str, float]]) -> str:
    """Rows in the order of the classes that they mostly are, so that good clusters lie on a diagonal."""
    classes = sorted({name for row in contingency.values() for name in row})
    most = max((count for row in contingency.values() for count in row.values()), default=1)

    def main(cluster: str) -> tuple[int, str]:
        row = contingency[cluster]
        return (classes.index(max(row, key=lambda name: row[name])) if row else len(classes), cluster)

    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in classes)
    body = "".join(
        f'<tr><th scope="row">{escape(cluster)}</th>{_cells(contingency[cluster], classes, most)}</tr>'
        for cluster in sorted(contingency, key=main)
    )
    content = f'<table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'
    return wrap_scrollable(content, "clusters and classes")


def _cells(row: Mapping[str, float], classes: Sequence[str], most: float) -> str:
    return "".join(
        f'<td style="--share:{row[c] / most:.2f}">{row[c]:g}</td>' if c in row else "<td></td>" for c in classes
    )


def _rounds(results: ResultsBySeed) -> list[list[str]]:
    def mean(number: int, name: str) -> float:
        return fmean(r["rounds"][number][name] for r in results.values())

    first: Sequence[Any] = next(iter(results.values()))["rounds"]
    return [
        [
            str(k),
            format_percent(mean(k, "purity")),
            *(f"{mean(k, name):.3f}" for name in ("nmi", "ari")),
            f"{mean(k, 'covered'):.1f} of {mean(k, 'classes'):g}",
            *(f"{mean(k, name):.1f}" for name in ("smallest", "largest")),
        ]
        for k in range(len(first))
    ]
