"""Format the scores of a map.json as lines of text."""

from collections.abc import Mapping
from typing import Any

from clip_ae.core.missed_videos import describe_missed_videos
from clip_ae.core.score_columns import format_column_heading, list_score_columns
from clip_ae.pages.text_table import align_table, format_percent

# Counts that are shown only if they are not 0.
ANOMALY_MESSAGES = {
    "instances_without_length": "instances have no length and cannot be detected",
    "detections_outside_subset": "detections of videos that are not scored, left out",
    "detections_without_cluster": "detections of an unknown cluster, left out",
    "detections_before_start": "detections begin before 0 s",
    "detections_beyond_end": "detections end after their video",
    "detections_without_length": "detections have no length",
}


def format_scores(result: Mapping[str, Any]) -> str:
    """mAP by tIoU and by range, its intervals if there are any, and the counts of scored items."""
    columns = list_score_columns(result)
    header = ["tIoU", *(format_column_heading(name) for _, name in columns)]
    rows = [header, ["mAP, %", *(format_percent(result[kind][name]) for kind, name in columns)]]
    if "interval" in result:
        for row_name, end in (("95 % from", 0), ("to", 1)):
            rows.append([row_name, *(format_percent(result["interval"][kind][name][end]) for kind, name in columns)])
    return "\n".join([*align_table(rows), *_describe_counts(result["counts"])])


def _describe_counts(counts: Mapping[str, int]) -> list[str]:
    lines = [
        f"{counts['videos']} videos, {counts['instances']} instances of {counts['classes']} classes; "
        f"{counts['detections']} detections in {counts['videos_with_detections']} videos"
    ]
    if missed := describe_missed_videos(counts):
        lines.append(f"{missed}: their actions count as missed")
    if not counts["detections"]:
        lines.append("no detection was scored: mAP is 0 at every tIoU")
    return [*lines, *(f"{counts[name]} {message}" for name, message in ANOMALY_MESSAGES.items() if counts[name])]
