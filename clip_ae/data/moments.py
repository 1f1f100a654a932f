"""Read moments.json: the moments of a dataset's videos that match the texts of its vocabulary."""

from pathlib import Path

from clip_ae.core.types import Detection
from clip_ae.data.detections import read_json_object


def read_moments(path: Path) -> dict[str, list[Detection]]:
    """Return the moments by text, in file order; the label of a moment is the text that it matches."""
    return {
        entry["text"]: [
            Detection(video_id, entry["text"], score, start, stop) for video_id, start, stop, score in entry["moments"]
        ]
        for entry in read_json_object(path)["texts"]
    }
