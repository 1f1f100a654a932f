"""What clusters may be called, how large they are, and why there are so many."""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.pages import charts
from clip_ae.pages.page import render_heading, render_html_table, render_paragraph
from clip_ae.pages.text_table import format_percent

ClusterNames = Mapping[str, Sequence[Mapping[str, Any]]]


def render_cluster_names(
    cluster_sizes: Mapping[str, int], names: ClusterNames, silhouettes: Mapping[int, float], num_clusters: int
) -> str:
    """Of the first seed, whose detections are shown; sizes are training videos."""
    lead = "The best names of the vocabulary, by CLIP: guesses, whose shares add up to 100 % over all its words."
    header = ["cluster", "training videos", *(["it may be"] if names else [])]
    rows = [
        [name, str(size), *([_guesses(names.get(name, ()))] if names else [])] for name, size in cluster_sizes.items()
    ]
    return "".join(
        [
            render_paragraph(lead) if names else "",
            render_html_table("First seed, last round", header, rows, wrap_text=True),
            _number(silhouettes, num_clusters) if silhouettes else "",
        ]
    )


def _guesses(guesses: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{guess['name']} {format_percent(guess['score'])} %" for guess in guesses) or "found in no video"


def _number(curve: Mapping[int, float], best: int) -> str:
    words = f"mean silhouette of 2 to {max(curve)} clusters; the highest, {curve[best]:.3f}, is that of {best}"
    return (
        render_heading("How many clusters")
        + render_paragraph(f"The number was left open; {words}.")
        + charts.render_curves({"silhouette": list(curve.items())}, words)
    )
