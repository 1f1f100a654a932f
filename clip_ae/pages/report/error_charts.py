"""What the best detections are, what each kind of error costs, and which actions are missed."""

from collections.abc import Mapping
from typing import Any

from clip_ae.core.error_types import KINDS
from clip_ae.pages import charts
from clip_ae.pages.diagnosis_text import multiples, share, trait_rows
from clip_ae.pages.page import figure, table

# A tenth of a point is the least that is printed, and less is no bar.
LEAST = 0.001


def errors(found: Mapping[str, Any]) -> str:
    at = found["tiou"]
    rows = {f"best {k}": {name: share(found["kinds"][k], name) for name in KINDS} for k in multiples(found)}
    costs = {name: found["cost"][name]["average"] for name in KINDS if name in found["cost"]}
    most = max([LEAST, *costs.values()])
    kinds = f"of the best detections, first seed, at tIoU {at:g}; G is the number of a class's actions"
    return "".join(
        [
            figure("Kinds of detections", kinds, charts.stacked(rows, charts.OF_KINDS)),
            figure("What each kind costs", "points of mAP, mean over tIoU, without it", charts.bars(costs, full=most)),
            table(
                "Actions, by what they are like",
                ["actions", "number", f"missed at {at:g}, %", "normalised mAP, %"],
                trait_rows(found),
            ),
        ]
    )
