"""The section Errors: error types of the top detections, their impact on mAP, and missed actions."""

from collections.abc import Mapping
from typing import Any

from clip_ae.core.error_types import ERROR_TYPES
from clip_ae.pages import charts
from clip_ae.pages.diagnosis_text import build_characteristic_rows, compute_share, list_top_g_multiples
from clip_ae.pages.page import render_figure, render_html_table

# 0.1 points of mAP, the smallest printed gain: bars are never scaled to less.
MIN_BAR = 0.001


def render_errors(diagnosis: Mapping[str, Any]) -> str:
    """HTML of the section, from diagnosis.json."""
    tiou = diagnosis["tiou"]
    shares = {
        f"top {k}": {name: compute_share(diagnosis["kinds"][k], name) for name in ERROR_TYPES}
        for k in list_top_g_multiples(diagnosis)
    }
    gains = {name: diagnosis["cost"][name]["average"] for name in ERROR_TYPES if name in diagnosis["cost"]}
    full_scale = max([MIN_BAR, *gains.values()])
    types_note = f"share of the top detections, first seed, tIoU {tiou:g}; G: number of actions of a class"
    return "".join(
        [
            render_figure("Error types", types_note, charts.render_stacked_bars(shares, charts.ERROR_COLOURS)),
            render_figure(
                "mAP gain without each error type",
                "percentage points, mean over tIoU",
                charts.render_bars(gains, full_scale=full_scale),
            ),
            render_html_table(
                "Actions by characteristic",
                ["actions", "number", f"missed at tIoU {tiou:g}, %", "normalised mAP, %"],
                build_characteristic_rows(diagnosis),
            ),
        ]
    )
