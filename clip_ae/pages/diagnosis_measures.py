"""Cells of the tables about curves, proposals and boundaries of a diagnosis.json."""

from collections.abc import Mapping
from typing import Any

from clip_ae.pages.text_table import format_percent

NO_VALUE = "-"


def build_curve_rows(diagnosis: Mapping[str, Any]) -> list[list[str]]:
    """Cells: curve, AUC in percent, number of videos or pairs; empty if the curves were not given."""
    if "curves" not in diagnosis:
        return []
    attention, activation = diagnosis["curves"]["attention"], diagnosis["curves"]["activation"]
    return [
        ["attention", _format_share(attention["auc"]), _format_number(attention["videos"], "video")],
        ["activation of true classes", _format_share(activation["auc"]), _describe_pairs(activation)],
    ]


def build_proposal_rows(diagnosis: Mapping[str, Any]) -> list[list[str]]:
    """Cells: number of proposals a video, average recall in percent."""
    proposals = diagnosis["proposals"]
    recall = sorted(proposals["AR"].items(), key=lambda pair: int(pair[0]))
    rows = [[f"AR@{an}", format_percent(value)] for an, value in recall]
    return [*rows, ["area under AR, AN 1 to 100", format_percent(proposals["AUC"])]]


def build_boundary_rows(diagnosis: Mapping[str, Any]) -> list[list[str]]:
    """Cells: boundary, median of the absolute error, mean of the signed error, in seconds."""
    errors = diagnosis["boundary_error"]
    return [_describe_boundary(name, errors[key]) for name, key in (("start", "start"), ("end", "stop"))]


def _describe_boundary(name: str, error: Mapping[str, float] | None) -> list[str]:
    if error is None:
        return [name, NO_VALUE, NO_VALUE]
    return [name, f"{error['median_absolute_s']:.2f}", f"{error['mean_signed_s']:+.2f}"]


def _describe_pairs(activation: Mapping[str, int]) -> str:
    missing = activation["pairs_without_curve"]
    return _format_number(activation["pairs"], "pair") + (f" ({missing} more without a curve)" if missing else "")


def _format_number(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _format_share(value: float | None) -> str:
    return NO_VALUE if value is None else format_percent(value)
