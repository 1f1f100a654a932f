"""What the best detections are, what each kind of error costs, and which actions are missed."""

from collections.abc import Mapping
from typing import Any

from clip_ae.core.error_types import ERROR_TYPES
from clip_ae.pages import charts
from clip_ae.pages.diagnosis_text import build_characteristic_rows, compute_share, list_top_g_multiples
from clip_ae.pages.page import render_figure, render_html_table

# A tenth of a point is the least that is printed, and less is no bar.
MIN_BAR = 0.001


def render_errors(diagnosis: Mapping[str, Any]) -> str:
    at = diagnosis["tiou"]
    rows = {
        f"best {k}": {name: compute_share(diagnosis["kinds"][k], name) for name in ERROR_TYPES}
        for k in list_top_g_multiples(diagnosis)
    }
    costs = {name: diagnosis["cost"][name]["average"] for name in ERROR_TYPES if name in diagnosis["cost"]}
    most = max([MIN_BAR, *costs.values()])
    kinds = f"of the best detections, first seed, at tIoU {at:g}; G is the number of a class's actions"
    return "".join(
        [
            render_figure("Kinds of detections", kinds, charts.render_stacked_bars(rows, charts.ERROR_COLOURS)),
            render_figure(
                "What each kind costs",
                "points of mAP, mean over tIoU, without it",
                charts.render_bars(costs, full_scale=most),
            ),
            render_html_table(
                "Actions, by what they are like",
                ["actions", "number", f"missed at {at:g}, %", "normalised mAP, %"],
                build_characteristic_rows(diagnosis),
            ),
        ]
    )
