"""The ways to score that published numbers follow, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clip_ae.scoring import area, matching
from clip_ae.scoring.segments import Bools, Floats, Segments

ACTIVITYNET = (
    "by falling score each detection takes the free ground truth of its video and class with the highest tIoU, "
    "if that reaches the threshold"
)
KIT = (
    "in the file's order each ground truth takes the free detection of its video and class with the highest tIoU, "
    "if that exceeds the threshold, whatever its score; a false detection that touches an Ambiguous segment is left out"
)


@dataclass(frozen=True)
class Protocol:
    """How detections find ground truth, what of the curve counts, and whether Ambiguous segments forgive."""

    match: Callable[[Segments, Segments, Sequence[float]], Bools]
    area: Callable[[Floats, Floats, Floats], Floats]
    forgives: bool
    words: str


PROTOCOLS = {
    "activitynet": Protocol(
        matching.activitynet, area.interpolated, False, f"{ACTIVITYNET}; all-point interpolated AP"
    ),
    "non-interpolated": Protocol(
        matching.activitynet, area.sampled, False, f"{ACTIVITYNET}; AP is the mean precision at each ground truth"
    ),
    "thumos14-2014": Protocol(matching.thumos14, area.eleven_points, True, f"{KIT}; 11-point AP"),
    "thumos14-2015": Protocol(
        matching.thumos14, area.sampled, True, f"{KIT}; AP is the mean precision at each ground truth"
    ),
}
