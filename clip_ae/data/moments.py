"""moments.json: which moments of a dataset's videos look like the texts of its vocabulary."""

from pathlib import Path

from clip_ae.core.types import Detection
from clip_ae.data.detections import read_json_object


def read_moments(path: Path) -> dict[str, list[Detection]]:
    """By text, in the order of the file; a moment is labelled with the text that it looks like."""
    return {
        text: [Detection(video_id, text, score, start, stop) for video_id, start, stop, score in entry["moments"]]
        for entry in read_json_object(path)["texts"]
        for text in [entry["text"]]
    }
