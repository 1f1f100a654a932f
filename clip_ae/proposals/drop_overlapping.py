"""Selection of detections that do not overlap, for chapters and clips (non-maximum suppression without tolerance)."""

from collections.abc import Iterable

from clip_ae.core.types import Detection


def drop_overlapping(detections: Iterable[Detection]) -> list[Detection]:
    """Detections that overlap no detection of a higher score, in order of time."""
    selected: list[Detection] = []
    for d in sorted(detections, key=lambda d: -d.score):
        if all(d.stop <= other.start or other.stop <= d.start for other in selected):
            selected.append(d)
    return sorted(selected, key=lambda d: d.start)
