"""Scores as a few lines of text."""

from collections.abc import Mapping
from typing import Any

from clip_ae.core.tiou_ranges import list_score_columns
from clip_ae.pages.text_table import align_table, format_percent

# Counts that are told only where there are any.
ANOMALY_MESSAGES = {
    "instances_without_length": "instances have no length and cannot be found",
    "detections_outside_subset": "detections of videos that are not scored, left out",
    "detections_without_cluster": "detections of no known cluster, left out",
    "detections_before_start": "detections begin before 0 s",
    "detections_beyond_end": "detections end after their video",
    "detections_without_length": "detections have no length",
}


def format_scores(result: Mapping[str, Any]) -> str:
    """mAP a tIoU and a range, with its interval, and what was scored."""
    found = list_score_columns(result)
    head = [name if kind == "mAP" else f"avg {name}" for kind, name in found]
    rows = [["tIoU", *head], ["mAP, %", *(format_percent(result[kind][name]) for kind, name in found)]]
    if "interval" in result:
        for words, end in (("95 % from", 0), ("to", 1)):
            rows.append([words, *(format_percent(result["interval"][kind][name][end]) for kind, name in found)])
    return "\n".join([*align_table(rows), *_told(result["counts"])])


def _told(counts: Mapping[str, int]) -> list[str]:
    lines = [
        f"{counts['videos']} videos, {counts['instances']} instances of {counts['classes']} classes; "
        f"{counts['detections']} detections in {counts['videos_with_detections']} videos"
    ]
    if not counts["detections"]:
        lines.append("no detection was scored: every AP is 0")
    return [*lines, *(f"{counts[name]} {words}" for name, words in ANOMALY_MESSAGES.items() if counts[name])]
