"""Write detections as chapters of a video (WebVTT)."""

from collections.abc import Sequence

from clip_ae.core.errors import make_printable
from clip_ae.core.types import Detection


def format_web_vtt(detections: Sequence[Detection]) -> str:
    """The text of a WebVTT file, with a cue for each detection."""
    # WebVTT requires that a cue ends after it begins.
    spans = ((d, max(d.stop, d.start + 0.001)) for d in detections)
    cues = (
        f"{_format_time(d.start)} --> {_format_time(stop)}\n{_escape(d.label)} {d.score:.2f}\n" for d, stop in spans
    )
    return "\n".join(["WEBVTT\n", *cues])


def _format_time(seconds: float) -> str:
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def _escape(label: str) -> str:
    """Escape the characters of WebVTT's tags and of its arrow `-->`."""
    return make_printable(label).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
