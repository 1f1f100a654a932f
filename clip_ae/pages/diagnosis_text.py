"""Format a diagnosis.json as lines of text."""

from collections.abc import Mapping
from typing import Any

from clip_ae.core.error_types import ERROR_TYPES
from clip_ae.pages.diagnosis_measures import build_boundary_rows, build_curve_rows, build_proposal_rows
from clip_ae.pages.text_table import align_table, format_percent

SHOWN_MULTIPLES = ("1G", "3G", "10G")
CHARACTERISTIC_UNITS = {"length": " s", "coverage": " of the video", "instances": " of its class in the video"}


def format_diagnosis(diagnosis: Mapping[str, Any]) -> str:
    """Error types and their impact; scores of actions by characteristic; boundaries, proposals and curves."""
    tiou = diagnosis["tiou"]
    header = [f"detections, % at tIoU {tiou:g}", *(f"top {k}" for k in SHOWN_MULTIPLES), "mAP gain without"]
    type_rows = [
        [
            name,
            *(format_percent(compute_share(diagnosis["kinds"][k], name)) for k in SHOWN_MULTIPLES),
            _format_gain(diagnosis["cost"], name),
        ]
        for name in ERROR_TYPES
    ]
    characteristics_header = ["", "actions", "missed, %", "mAP, %", "mAP_N, %"]
    return "\n".join(
        [
            *align_table([header, *type_rows]),
            "",
            f"{format_percent(diagnosis['missed'])} % of the actions are missed at tIoU {tiou:g}",
            *align_table([characteristics_header, *build_characteristic_rows(diagnosis)]),
            *_format_measures(diagnosis),
        ]
    )


def _format_measures(diagnosis: Mapping[str, Any]) -> list[str]:
    """Boundaries, proposals and, if the curves were given, their AUC: each a table after an empty line."""
    num_true, curve_rows = diagnosis["boundary_error"]["actions"], build_curve_rows(diagnosis)
    tables = [
        [[f"boundary of {num_true} true detections", "median error, s", "mean, s"], *build_boundary_rows(diagnosis)],
        [["proposals without labels", "recall, %"], *build_proposal_rows(diagnosis)],
        *([[["curve, inside against outside", "AUC, %", "mean over"], *curve_rows]] if curve_rows else []),
    ]
    return [line for table in tables for line in ("", *align_table(table))]


def build_characteristic_rows(diagnosis: Mapping[str, Any]) -> list[list[str]]:
    """Cells for each group of actions: name, number of actions, share of missed ones, mAP, normalised mAP."""
    return [
        [
            _describe_group(name, group),
            str(group["actions"]),
            format_percent(group["missed"]),
            format_percent(group["group_mAP"]),
            format_percent(group["sensitivity"]),
        ]
        for name in CHARACTERISTIC_UNITS
        for group in diagnosis["traits"][name]
    ]


def list_top_g_multiples(diagnosis: Mapping[str, Any]) -> list[str]:
    """1G to 10G, in order."""
    return sorted(diagnosis["kinds"], key=lambda name: int(name.removesuffix("G")))


def compute_share(counts: Mapping[str, int], name: str) -> float:
    """The count of a name as a fraction of all counts; 0 if all are 0."""
    total = sum(counts.values())
    return counts[name] / total if total else 0.0


def _format_gain(impact: Mapping[str, Mapping[str, float]], name: str) -> str:
    return f"{100 * impact[name]['average']:+.1f}" if name in impact else ""


def _describe_group(name: str, group: Mapping[str, float]) -> str:
    low, high = group["from"], group["to"]
    values = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    return f"{name} {values}{CHARACTERISTIC_UNITS[name]}"
