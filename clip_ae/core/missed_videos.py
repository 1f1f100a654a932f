"""Test videos without any detection: their actions count as missed, so every score has to say so."""

from collections.abc import Mapping


def describe_missed_videos(counts: Mapping[str, float]) -> str:
    """How many of the test videos have no detection; empty if all have one. `counts` is that of map.json."""
    missed = counts["videos"] - counts["videos_with_detections"]
    return f"{missed:g} of {counts['videos']:g} test videos have no detections" if missed else ""
