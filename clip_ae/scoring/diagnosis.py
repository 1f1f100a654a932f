"""Why a score is what it is: false detections by kind and cost, missed actions and sensitivity by trait."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clip_ae.scoring.average_precision import Judged, judge
from clip_ae.scoring.by_video import by_video
from clip_ae.scoring.error_analysis import MULTIPLES, at_multiples, costs, kinds
from clip_ae.scoring.evaluate import Problem
from clip_ae.scoring.matching import holding
from clip_ae.scoring.segments import Bools, Floats, Ints
from clip_ae.scoring.sensitivity import Group, groups, sensitivities, traits

# Where kinds are counted and actions missed. Costs and sensitivities are means over the thresholds asked for.
AT = 0.5


def diagnosis(problem: Problem, thresholds: Sequence[float], durations: Floats) -> dict[str, Any]:
    """The figures of diagnosis.json; durations [videos] are nan where unknown."""
    at, judged = (judge(problem.truth, problem.detections, t) for t in ((AT,), thresholds))
    cost = costs(judged, kinds(judged, thresholds), len(problem.classes))
    lost = holding(at.truth, at.ranked, (AT,))[0] == len(at.ranked)
    holders = holding(judged.truth, judged.ranked, thresholds)
    own = by_video(judged, len(problem.classes), len(problem.videos))
    return {
        "tiou": AT,
        "kinds": {f"{k}G": counts for k, counts in zip(MULTIPLES, at_multiples(at, kinds(at, (AT,))[0]), strict=True)},
        "cost": {
            name: {**{f"{t:g}": float(v) for t, v in zip(thresholds, gain, strict=True)}, "average": float(gain.mean())}
            for name, gain in cost.items()
        },
        "missed": float(lost.mean()),
        "traits": {
            name: _groups(judged, holders, lost, groups(values))
            for name, values in traits(judged.truth, durations).items()
        },
        "videos": {i: float(ap) for i, ap in zip(problem.videos, own, strict=True) if not np.isnan(ap)},
    }


def _groups(judged: Judged, holders: Ints, lost: Bools, some: Sequence[Group]) -> list[Mapping[str, float]]:
    return [
        {
            "from": group.low,
            "to": group.high,
            "actions": int(group.members.sum()),
            "missed": float(lost[group.members].mean()),
            "sensitivity": value,
        }
        for group, value in zip(some, sensitivities(judged, holders, some), strict=True)
    ]
