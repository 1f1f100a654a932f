"""The section Clusters: classes of each cluster, cluster quality by round, and mAP by cluster mapping."""

from collections.abc import Mapping, Sequence
from html import escape
from statistics import fmean

from clip_ae.core.config.schema import CLUSTER_MAPPING_NAMES
from clip_ae.core.tiou_ranges import sort_by_width
from clip_ae.pages.page import render_html_table, render_paragraph, wrap_scrollable
from clip_ae.pages.report.scores import ResultsBySeed
from clip_ae.pages.text_table import format_percent


def render_clusters(results: ResultsBySeed) -> str:
    """HTML of the section. The matrix shows the first seed: clusters of different seeds do not correspond."""
    first = next(iter(results.values()))
    ranges = sort_by_width(first["average"])
    mapping_rows = [
        [name, *(format_percent(fmean(r["mapping"][name]["average"][c] for r in results.values())) for c in ranges)]
        for name in CLUSTER_MAPPING_NAMES
    ]
    return "".join(
        [
            render_paragraph("Number of training videos of each class in each cluster: first seed, last round."),
            render_contingency(first["mapping"]["contingency"]),
            render_html_table(
                "Cluster quality by round, mean over seeds",
                ["round", "purity, %", "NMI", "ARI", "classes covered", "smallest cluster", "largest cluster"],
                _build_round_rows(results),
            ),
            render_html_table("mAP by cluster mapping, %", ["mapping", *ranges], mapping_rows),
        ]
    )


def render_contingency(contingency: Mapping[str, Mapping[str, float]]) -> str:
    """Matrix of clusters and classes; clusters are sorted by their main class, so good clusters form a diagonal."""
    classes = sorted({name for row in contingency.values() for name in row})
    largest = max((count for row in contingency.values() for count in row.values()), default=1)

    def get_sort_key(cluster: str) -> tuple[int, str]:
        row = contingency[cluster]
        return (classes.index(max(row, key=lambda name: row[name])) if row else len(classes), cluster)

    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in classes)
    body = "".join(
        f'<tr><th scope="row">{escape(cluster)}</th>{_render_cells(contingency[cluster], classes, largest)}</tr>'
        for cluster in sorted(contingency, key=get_sort_key)
    )
    content = f'<table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'
    return wrap_scrollable(content, "clusters and classes")


def _render_cells(row: Mapping[str, float], classes: Sequence[str], largest: float) -> str:
    return "".join(
        f'<td style="--share:{row[c] / largest:.2f}">{row[c]:g}</td>' if c in row else "<td></td>" for c in classes
    )


def _build_round_rows(results: ResultsBySeed) -> list[list[str]]:
    """Cells of the quality table, means over seeds."""

    def mean(number: int, name: str) -> float:
        return fmean(r["rounds"][number][name] for r in results.values())

    num_rounds = len(next(iter(results.values()))["rounds"])
    return [
        [
            str(k),
            format_percent(mean(k, "purity")),
            *(f"{mean(k, name):.3f}" for name in ("nmi", "ari")),
            f"{mean(k, 'covered'):.1f} of {mean(k, 'classes'):g}",
            *(f"{mean(k, name):.1f}" for name in ("smallest", "largest")),
        ]
        for k in range(num_rounds)
    ]
