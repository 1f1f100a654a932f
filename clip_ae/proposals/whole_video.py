"""One segment over the whole video for each class: a baseline that localizes nothing within a video."""

from collections.abc import Sequence

from clip_ae.core.types import Detection
from clip_ae.proposals.localize import select_classes
from clip_ae.proposals.segments import Floats


def propose_whole_video(
    video_id: str, scores: Floats, *, labels: Sequence[str], class_threshold: float, duration: float
) -> list[Detection]:
    """A segment from 0 to duration seconds for each class above the threshold, with the video's class score [C].

    The best class always has one.
    """
    return [
        Detection(video_id, labels[c], float(scores[c]), 0.0, duration) for c in select_classes(scores, class_threshold)
    ]
