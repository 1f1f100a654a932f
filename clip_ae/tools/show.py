"""Draw the detections of one video as a timeline, with its annotations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from clip_ae.core.errors import UserError, make_printable, suggest_name
from clip_ae.core.types import Annotation, Detection
from clip_ae.data.annotations import read_annotations
from clip_ae.data.detections import read_detections
from clip_ae.pages.timeline_text import MAX_WIDTH, get_terminal_width, render_timeline

MIN_DURATION_S = 0.1


def run(
    detections: Annotated[Path, "detections as JSON (ActivityNet's form) or as a Parquet table"],
    video_id: Annotated[str, "the video's id"],
    *,
    ground_truth: Annotated[Path | None, "annotations to draw above the detections"] = None,
    top: Annotated[int, "number of detections to draw, best first"] = 15,
    width: Annotated[int, "width in characters; 0: as wide as the terminal"] = 0,
) -> None:
    if top < 1 or not 0 <= width <= MAX_WIDTH:
        raise UserError(f"--top {top} --width {width}: expected --top of at least 1, and --width from 0 to {MAX_WIDTH}")
    all_detections = read_detections(detections)
    ranked = sorted((d for d in all_detections if d.video_id == video_id), key=lambda d: (-d.score, d.start))
    annotations = read_annotations(ground_truth) if ground_truth else {}
    if not ranked and video_id not in annotations:
        ids = {d.video_id for d in all_detections} | set(annotations)
        raise UserError(f"{detections}: no video '{video_id}'{suggest_name(video_id, ids)}")
    annotation = annotations.get(video_id, Annotation("", ()))
    shown = ranked[:top]
    duration = _duration(annotation, ranked)
    print(f"{make_printable(video_id)}, {duration:.1f} s, {len(shown)} of {len(ranked)} detections")
    columns = width or get_terminal_width()
    print("\n".join(render_timeline(duration, annotation.instances, shown, columns)))


def _duration(annotation: Annotation, detections: Sequence[Detection]) -> float:
    """Seconds: the annotated duration, or else the end of the last action or detection."""
    ends = [i.stop for i in annotation.instances] + [d.stop for d in detections]
    return max(annotation.duration or max(ends, default=0.0), MIN_DURATION_S)
