"""What clusters may be called, how large they are, and why there are so many."""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.pages import charts
from clip_ae.pages.page import heading, paragraph, table
from clip_ae.pages.text_table import percent

Names = Mapping[str, Sequence[Mapping[str, Any]]]


def named(sizes: Mapping[str, int], names: Names, curve: Mapping[int, float], best: int) -> str:
    """Of the first seed, whose detections are shown; sizes are training videos."""
    lead = "The best names of the vocabulary, by CLIP: guesses, whose shares add up to 100 % over all its words."
    header = ["cluster", "training videos", *(["it may be"] if names else [])]
    rows = [[name, str(size), *([_guesses(names.get(name, ()))] if names else [])] for name, size in sizes.items()]
    return "".join(
        [
            paragraph(lead) if names else "",
            table("First seed, last round", header, rows, text=True),
            _number(curve, best) if curve else "",
        ]
    )


def _guesses(guesses: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{guess['name']} {percent(guess['score'])} %" for guess in guesses) or "found in no video"


def _number(curve: Mapping[int, float], best: int) -> str:
    words = f"mean silhouette of 2 to {max(curve)} clusters; the highest, {curve[best]:.3f}, is that of {best}"
    return (
        heading("How many clusters")
        + paragraph(f"The number was left open; {words}.")
        + charts.curves({"silhouette": list(curve.items())}, words)
    )
