"""The section Errors: error types, their impact on mAP, missed actions, boundaries, proposals and curves."""

from collections.abc import Mapping
from typing import Any

from clip_ae.core.error_types import ERROR_TYPES
from clip_ae.pages import charts
from clip_ae.pages.diagnosis_measures import build_boundary_rows, build_curve_rows, build_proposal_rows
from clip_ae.pages.diagnosis_text import build_characteristic_rows, compute_share, list_top_g_multiples
from clip_ae.pages.page import render_figure, render_html_table, render_paragraph

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
                ["actions", "number", f"missed at tIoU {tiou:g}, %", "mAP, %", "normalised mAP, %"],
                build_characteristic_rows(diagnosis),
            ),
            _render_boundaries(diagnosis),
            _render_proposals(diagnosis),
            _render_curves(diagnosis),
        ]
    )


def _render_boundaries(diagnosis: Mapping[str, Any]) -> str:
    number = diagnosis["boundary_error"]["actions"]
    note = (
        f"Error of the boundaries of the {number} true detections at tIoU {diagnosis['tiou']:g}. "
        "The mean is negative if they are too early, and positive if they are too late."
    )
    header = ["boundary", "median of the absolute error, s", "mean of the signed error, s"]
    return render_html_table("Boundaries", header, build_boundary_rows(diagnosis)) + render_paragraph(note)


def _render_proposals(diagnosis: Mapping[str, Any]) -> str:
    note = (
        "AR@AN: share of the actions that are found with AN segments a video on average, mean over tIoU. "
        f"Labels do not count. A video has {diagnosis['proposals']['per_video']:.1f} segments on average."
    )
    table = render_html_table("Proposals without labels", ["measure", "%"], build_proposal_rows(diagnosis))
    return table + render_paragraph(note)


def _render_curves(diagnosis: Mapping[str, Any]) -> str:
    rows = build_curve_rows(diagnosis)
    if not rows:
        return ""
    note = (
        "AUC: probability that a curve is higher in a snippet inside an action than in a snippet of the same video "
        "outside; 50 % by chance. A pair is a video and one of its classes."
    )
    return render_html_table("Curves", ["curve", "AUC, %", "mean over"], rows) + render_paragraph(note)
