"""A diagnosis as a few lines of text."""

from collections.abc import Mapping
from typing import Any

from clip_ae.core.error_types import ERROR_TYPES
from clip_ae.pages.text_table import align_table, format_percent

SHOWN_MULTIPLES = ("1G", "3G", "10G")
CHARACTERISTIC_UNITS = {"length": " s", "coverage": " of the video", "instances": " of its class in the video"}


def format_diagnosis(diagnosis: Mapping[str, Any]) -> str:
    """Kinds among the best detections and what each costs; missed actions and sensitivity by trait."""
    at = diagnosis["tiou"]
    kinds = [
        [
            name,
            *(format_percent(compute_share(diagnosis["kinds"][k], name)) for k in SHOWN_MULTIPLES),
            _cost(diagnosis["cost"], name),
        ]
        for name in ERROR_TYPES
    ]
    head = [f"detections, % at tIoU {at:g}", *(f"best {k}" for k in SHOWN_MULTIPLES), "mAP it costs"]
    lost = f"{format_percent(diagnosis['missed'])} % of the actions are missed at tIoU {at:g}"
    return "\n".join(
        [
            *align_table([head, *kinds]),
            "",
            lost,
            *align_table([["", "actions", "missed, %", "mAP_N, %"], *build_characteristic_rows(diagnosis)]),
        ]
    )


def build_characteristic_rows(diagnosis: Mapping[str, Any]) -> list[list[str]]:
    """Of every group of actions: how many there are, the share that is missed, and the normalised mAP."""
    return [
        [
            _span(name, group),
            str(group["actions"]),
            format_percent(group["missed"]),
            format_percent(group["sensitivity"]),
        ]
        for name in CHARACTERISTIC_UNITS
        for group in diagnosis["traits"][name]
    ]


def list_top_g_multiples(diagnosis: Mapping[str, Any]) -> list[str]:
    """1G to 10G, in order."""
    return sorted(diagnosis["kinds"], key=lambda name: int(name.removesuffix("G")))


def compute_share(counts: Mapping[str, int], name: str) -> float:
    total = sum(counts.values())
    return counts[name] / total if total else 0.0


def _cost(costs: Mapping[str, Mapping[str, float]], name: str) -> str:
    return f"{100 * costs[name]['average']:+.1f}" if name in costs else ""


def _span(name: str, group: Mapping[str, float]) -> str:
    """A group of actions in words."""
    low, high = group["from"], group["to"]
    values = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    return f"{name} {values}{CHARACTERISTIC_UNITS[name]}"
