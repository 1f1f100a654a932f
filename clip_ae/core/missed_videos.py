"""Test videos without any detection: their actions count as missed, so every score has to say so."""

from collections.abc import Mapping


def describe_missed_videos(counts: Mapping[str, float]) -> str:
    """How many test videos have no features or no detections; empty if all have both. `counts` is that of map.json."""
    # Counts of earlier code do not have it.
    without_features = counts.get("videos_without_features", 0)
    numbers = {
        "without features": without_features,
        "without detections": counts["videos"] - counts["videos_with_detections"] - without_features,
    }
    missed = ", ".join(f"{number:g} {what}" for what, number in numbers.items() if number)
    return f"{missed} (of {counts['videos']:g} test videos)" if missed else ""
