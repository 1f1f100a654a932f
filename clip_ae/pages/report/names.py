"""Names that CLIP suggests for clusters, the sizes of clusters, and the choice of their number."""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.pages import charts
from clip_ae.pages.page import render_heading, render_html_table, render_paragraph
from clip_ae.pages.text_table import format_percent

ClusterNames = Mapping[str, Sequence[Mapping[str, Any]]]


def render_cluster_names(
    cluster_sizes: Mapping[str, int], names: ClusterNames, silhouettes: Mapping[int, float], num_clusters: int
) -> str:
    """HTML for the clusters of the first seed; sizes count training videos.

    Without silhouettes, the config fixed the number of clusters.
    """
    intro = (
        "The most similar names of the vocabulary, by CLIP. They are guesses; the shares of all names in the "
        "vocabulary add up to 100 %."
    )
    header = ["cluster", "training videos", *(["suggested names"] if names else [])]
    rows = [
        [cluster, str(size), *([_format_guesses(names.get(cluster, ()))] if names else [])]
        for cluster, size in cluster_sizes.items()
    ]
    return "".join(
        [
            render_paragraph(intro) if names else "",
            render_html_table("Clusters of the first seed, last round", header, rows, wrap_text=True),
            _render_silhouettes(silhouettes, num_clusters) if silhouettes else "",
        ]
    )


def _format_guesses(guesses: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{guess['name']} {format_percent(guess['score'])} %" for guess in guesses) or "none: in no video"


def _render_silhouettes(silhouettes: Mapping[int, float], num_clusters: int) -> str:
    summary = (
        f"mean silhouette of 2 to {max(silhouettes)} clusters; the highest, {silhouettes[num_clusters]:.3f}, is that "
        f"of {num_clusters}"
    )
    return (
        render_heading("Number of clusters")
        + render_paragraph(f"The config does not fix the number: {summary}.")
        + charts.render_curves({"silhouette": list(silhouettes.items())}, summary)
    )
