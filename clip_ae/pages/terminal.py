"""Scores as a few lines of text."""

from collections.abc import Mapping, Sequence
from typing import Any

# Counts that are told only where there are any.
ODD = {
    "detections_outside_subset": "of videos that are not scored, left out",
    "detections_without_cluster": "of no known cluster, left out",
    "detections_before_start": "begin before 0 s",
    "detections_beyond_end": "end after their video",
    "detections_without_length": "have no length",
}


def score_table(result: Mapping[str, Any]) -> str:
    """mAP a tIoU and a range, with its interval, and what was scored."""
    columns = [("mAP", t) for t in sorted(result["mAP"], key=float)] + [("average", r) for r in result["average"]]
    head = [name if kind == "mAP" else f"avg {name}" for kind, name in columns]
    rows = [["tIoU", *head], ["mAP, %", *(_percent(result[kind][name]) for kind, name in columns)]]
    if "interval" in result:
        for words, end in (("95 % from", 0), ("to", 1)):
            rows.append([words, *(_percent(result["interval"][kind][name][end]) for kind, name in columns)])
    return "\n".join([*_aligned(rows), *_told(result["counts"])])


def _told(counts: Mapping[str, int]) -> list[str]:
    lines = [
        f"{counts['videos']} videos, {counts['instances']} instances of {counts['classes']} classes; "
        f"{counts['detections']} detections in {counts['videos_with_detections']} videos"
    ]
    if not counts["detections"]:
        lines.append("no detection was scored: every AP is 0")
    return [*lines, *(f"{counts[name]} detections {words}" for name, words in ODD.items() if counts[name])]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pairs = ([(cell, width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return [
        "  ".join([cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(row)])
        for row in pairs
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
