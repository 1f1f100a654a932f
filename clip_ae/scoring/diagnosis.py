"""Why a score is what it is: false detections by kind and cost, missed actions and sensitivity by trait."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clip_ae.scoring.average_precision import MatchedDetections, match
from clip_ae.scoring.by_video import compute_ap_by_video
from clip_ae.scoring.error_analysis import (
    TOP_G_MULTIPLES,
    classify_detections,
    compute_error_impact,
    count_types_in_top_kg,
)
from clip_ae.scoring.evaluate import EvalInput
from clip_ae.scoring.matching import match_ground_truth
from clip_ae.scoring.segments import Bools, Floats, Ints
from clip_ae.scoring.sensitivity import InstanceGroup, compute_characteristics, compute_sensitivities, group_by_value

# Where kinds are counted and actions missed. Costs and sensitivities are means over the thresholds asked for.
DIAGNOSIS_TIOU = 0.5


def build_diagnosis(eval_input: EvalInput, thresholds: Sequence[float], durations: Floats) -> dict[str, Any]:
    """The figures of diagnosis.json; durations [videos] are nan where unknown."""
    at, judged = (match(eval_input.ground_truth, eval_input.detections, t) for t in ((DIAGNOSIS_TIOU,), thresholds))
    cost = compute_error_impact(judged, classify_detections(judged, thresholds), len(eval_input.classes))
    lost = match_ground_truth(at.ground_truth, at.detections, (DIAGNOSIS_TIOU,))[0] == len(at.detections)
    holders = match_ground_truth(judged.ground_truth, judged.detections, thresholds)
    own = compute_ap_by_video(judged, len(eval_input.classes), len(eval_input.videos))
    return {
        "tiou": DIAGNOSIS_TIOU,
        "kinds": {
            f"{k}G": counts
            for k, counts in zip(
                TOP_G_MULTIPLES, count_types_in_top_kg(at, classify_detections(at, (DIAGNOSIS_TIOU,))[0]), strict=True
            )
        },
        "cost": {
            name: {**{f"{t:g}": float(v) for t, v in zip(thresholds, gain, strict=True)}, "average": float(gain.mean())}
            for name, gain in cost.items()
        },
        "missed": float(lost.mean()),
        "traits": {
            name: _groups(judged, holders, lost, group_by_value(values))
            for name, values in compute_characteristics(judged.ground_truth, durations).items()
        },
        "videos": {i: float(ap) for i, ap in zip(eval_input.videos, own, strict=True) if not np.isnan(ap)},
    }


def _groups(
    judged: MatchedDetections, holders: Ints, lost: Bools, some: Sequence[InstanceGroup]
) -> list[Mapping[str, float]]:
    return [
        {
            "from": group.low,
            "to": group.high,
            "actions": int(group.member_mask.sum()),
            "missed": float(lost[group.member_mask].mean()),
            "sensitivity": value,
        }
        for group, value in zip(some, compute_sensitivities(judged, holders, some), strict=True)
    ]
