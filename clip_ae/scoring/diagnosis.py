"""Error analysis of detections: error types, their impact, boundary errors, missed actions, scores of action groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clip_ae.scoring.average_precision import MatchedDetections, match
from clip_ae.scoring.boundary_error import measure_boundary_error
from clip_ae.scoring.by_video import compute_ap_by_video
from clip_ae.scoring.error_analysis import (
    TOP_G_MULTIPLES,
    classify_detections,
    compute_error_impact,
    count_types_in_top_kg,
)
from clip_ae.scoring.eval_input import EvalInput
from clip_ae.scoring.matching import match_ground_truth
from clip_ae.scoring.segments import Bools, Floats, Ints
from clip_ae.scoring.sensitivity import (
    InstanceGroup,
    compute_characteristics,
    compute_group_maps,
    compute_sensitivities,
    group_by_value,
)

# Error types are counted, actions are missed and boundaries are compared at this tIoU. Impacts and scores of groups are
# means over all thresholds.
DIAGNOSIS_TIOU = 0.5


def build_diagnosis(eval_input: EvalInput, thresholds: Sequence[float], durations: Floats) -> dict[str, Any]:
    """The metrics of diagnosis.json; durations [videos] in seconds, nan where unknown."""
    truth, num_classes = eval_input.ground_truth, len(eval_input.classes)
    single = match(truth, eval_input.detections, (DIAGNOSIS_TIOU,))
    matches = match(truth, eval_input.detections, thresholds)
    single_ranks = match_ground_truth(truth, single.detections, (DIAGNOSIS_TIOU,))[0]
    missed_mask = single_ranks == len(single.detections)
    matched_ranks = match_ground_truth(truth, matches.detections, thresholds)
    video_ap = compute_ap_by_video(matches, num_classes, len(eval_input.videos))
    return {
        "tiou": DIAGNOSIS_TIOU,
        "kinds": _count_error_types(single),
        "cost": _summarize_impact(matches, thresholds, num_classes),
        "boundary_error": measure_boundary_error(truth, single.detections, single_ranks),
        "missed": float(missed_mask.mean()),
        "traits": {
            name: _summarize_groups(matches, matched_ranks, missed_mask, group_by_value(values))
            for name, values in compute_characteristics(truth, durations).items()
        },
        "videos": {i: float(ap) for i, ap in zip(eval_input.videos, video_ap, strict=True) if not np.isnan(ap)},
    }


def _count_error_types(matches: MatchedDetections) -> dict[str, dict[str, int]]:
    """Number of detections of each error type among the top 1G to 10G, at DIAGNOSIS_TIOU."""
    detection_types = classify_detections(matches, (DIAGNOSIS_TIOU,))[0]
    counts = count_types_in_top_kg(matches, detection_types)
    return {f"{k}G": type_counts for k, type_counts in zip(TOP_G_MULTIPLES, counts, strict=True)}


def _summarize_impact(
    matches: MatchedDetections, thresholds: Sequence[float], num_classes: int
) -> dict[str, dict[str, float]]:
    """mAP gained without the detections of each error type, by threshold and on average."""
    impact = compute_error_impact(matches, classify_detections(matches, thresholds), num_classes)
    return {
        name: {**{f"{t:g}": float(v) for t, v in zip(thresholds, gain, strict=True)}, "average": float(gain.mean())}
        for name, gain in impact.items()
    }


def _summarize_groups(
    matches: MatchedDetections, matched_ranks: Ints, missed_mask: Bools, groups: Sequence[InstanceGroup]
) -> list[Mapping[str, float]]:
    maps = compute_group_maps(matches, matched_ranks, groups)
    sensitivities = compute_sensitivities(matches, matched_ranks, groups)
    return [
        {
            "from": group.low,
            "to": group.high,
            "actions": int(group.member_mask.sum()),
            "missed": float(missed_mask[group.member_mask].mean()),
            "group_mAP": group_map,
            "sensitivity": sensitivity,
        }
        for group, group_map, sensitivity in zip(groups, maps, sensitivities, strict=True)
    ]
