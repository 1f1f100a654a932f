"""Draw one video's detections on a line of time, beside what is annotated."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from clip_ae.core.errors import UserError, make_printable, suggest_name
from clip_ae.core.types import Annotation, Detection
from clip_ae.data.annotations import read_annotations
from clip_ae.data.detections import read_detections
from clip_ae.pages.timeline_text import render_timeline

MAX_WIDTH = 1000
MIN_DURATION_S = 0.1


def run(
    detections: Annotated[Path, "detections in ActivityNet's submission form, or a Parquet table of them"],
    video_id: Annotated[str, "the video's id"],
    *,
    ground_truth: Annotated[Path | None, "annotations, to be drawn above"] = None,
    top: Annotated[int, "detections to draw, the best first"] = 15,
    width: Annotated[int, "characters across; 0: as wide as the terminal"] = 0,
) -> None:
    if top < 1 or not 0 <= width <= MAX_WIDTH:
        raise UserError(f"--top {top} --width {width}: expected at least 1, and 0 to {MAX_WIDTH} characters")
    found = read_detections(detections)
    mine = sorted((d for d in found if d.video_id == video_id), key=lambda d: (-d.score, d.start))
    known = read_annotations(ground_truth) if ground_truth else {}
    if not mine and video_id not in known:
        ids = {d.video_id for d in found} | set(known)
        raise UserError(f"{detections}: no video '{video_id}'{suggest_name(video_id, ids)}")
    annotation = known.get(video_id, Annotation("", ()))
    shown = mine[:top]
    duration = _duration(annotation, mine)
    print(f"{make_printable(video_id)}, {duration:.1f} s, {len(shown)} of {len(mine)} detections")
    columns = width or shutil.get_terminal_size().columns
    print("\n".join(render_timeline(duration, annotation.instances, shown, columns)))


def _duration(annotation: Annotation, found: Sequence[Detection]) -> float:
    """As annotated, or as far as anything reaches."""
    ends = [i.stop for i in annotation.instances] + [d.stop for d in found]
    return max(annotation.duration or max(ends, default=0.0), MIN_DURATION_S)
