"""Scoring protocols of published results, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clip_ae.scoring import area, matching
from clip_ae.scoring.segments import Bools, Floats, Segments

ACTIVITYNET_RULE = (
    "by falling score each detection takes the free ground truth of its video and class with the highest tIoU, "
    "if that reaches the threshold"
)
THUMOS14_RULE = (
    "in the file's order each ground truth takes the free detection of its video and class with the highest tIoU, "
    "if that exceeds the threshold, whatever its score; a false detection that touches an Ambiguous segment is left out"
)


@dataclass(frozen=True)
class ScoringProtocol:
    """The matching rule, the rule for AP, and whether false positives that overlap an Ambiguous segment are ignored.

    The description is written to map.json.
    """

    match_rule: Callable[[Segments, Segments, Sequence[float]], Bools]
    ap_rule: Callable[[Floats, Floats, Floats], Floats]
    ignores_ambiguous: bool
    description: str


PROTOCOLS = {
    "activitynet": ScoringProtocol(
        matching.match_activitynet,
        area.compute_interpolated_ap,
        False,
        f"{ACTIVITYNET_RULE}; all-point interpolated AP",
    ),
    "non-interpolated": ScoringProtocol(
        matching.match_activitynet,
        area.compute_noninterpolated_ap,
        False,
        f"{ACTIVITYNET_RULE}; AP is the mean precision at each ground truth",
    ),
    "thumos14-2014": ScoringProtocol(
        matching.match_thumos14, area.compute_eleven_point_ap, True, f"{THUMOS14_RULE}; 11-point AP"
    ),
    "thumos14-2015": ScoringProtocol(
        matching.match_thumos14,
        area.compute_noninterpolated_ap,
        True,
        f"{THUMOS14_RULE}; AP is the mean precision at each ground truth",
    ),
}
