"""Why a score is what it is: false detections by kind and cost, missed actions and sensitivity by trait."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clip_ae.scoring.average_precision import Judged
from clip_ae.scoring.errors import MULTIPLES, at_multiples, costs, kinds
from clip_ae.scoring.matching import holding
from clip_ae.scoring.segments import Floats
from clip_ae.scoring.traits import Group, groups, sensitivities, traits

# The tIoU at which kinds are counted and actions missed; their cost and sensitivities are means over all.
AT = 0.5


def diagnosis(judged: Judged, thresholds: Sequence[float], classes: int, durations: Floats) -> dict[str, Any]:
    """The figures of diagnosis.json. thresholds, AT among them, are judged's; durations [videos] are nan if unknown."""
    kind, at = kinds(judged, thresholds), list(thresholds).index(AT)
    cost = costs(judged, kind, classes)
    holders = holding(judged.truth, judged.ranked, thresholds)
    return {
        "tiou": AT,
        "kinds": {f"{k}G": counts for k, counts in zip(MULTIPLES, at_multiples(judged, kind[at]), strict=True)},
        "cost": {
            name: {**{f"{t:g}": float(v) for t, v in zip(thresholds, gain, strict=True)}, "average": float(gain.mean())}
            for name, gain in cost.items()
        },
        "missed": float(np.mean(holders[at] == len(judged.ranked))),
        "traits": {
            name: _groups(judged, holders, at, groups(values))
            for name, values in traits(judged.truth, durations).items()
        },
    }


def _groups(judged: Judged, holders: np.ndarray[Any, Any], at: int, some: Sequence[Group]) -> list[Mapping[str, float]]:
    lost = holders[at] == len(judged.ranked)
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
