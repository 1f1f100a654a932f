"""Detections as chapters of a film (WebVTT)."""

from collections.abc import Iterable, Sequence

from clip_ae.core.errors import make_printable
from clip_ae.core.types import Detection


def drop_overlapping(detections: Iterable[Detection]) -> list[Detection]:
    """Those that overlap no better one, in time's order."""
    kept: list[Detection] = []
    for d in sorted(detections, key=lambda d: -d.score):
        if all(d.stop <= other.start or other.stop <= d.start for other in kept):
            kept.append(d)
    return sorted(kept, key=lambda d: d.start)


def format_web_vtt(detections: Sequence[Detection]) -> str:
    # A cue ends after it begins.
    spans = ((d, max(d.stop, d.start + 0.001)) for d in detections)
    cues = (f"{_time(d.start)} --> {_time(stop)}\n{_text(d.label)} {d.score:.2f}\n" for d, stop in spans)
    return "\n".join(["WEBVTT\n", *cues])


def _time(seconds: float) -> str:
    milliseconds = round(1000 * seconds)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def _text(label: str) -> str:
    """WebVTT has tags and an arrow of its own."""
    return make_printable(label).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
