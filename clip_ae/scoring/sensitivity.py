"""Which actions are missed, and which are found well: by length, by share of the video, by how many a video has.

After DETAD (Alwassel et al., ECCV 2018); its groups are edges chosen for two datasets, ours are fifths of any.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clip_ae.scoring.area import compute_interpolated_ap
from clip_ae.scoring.average_precision import MatchedDetections, group_by_label
from clip_ae.scoring.segments import Bools, Floats, Ints, Segments

QUANTILES = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class InstanceGroup:
    """Ground truths alike in a trait: the smallest and the largest value among them."""

    low: float
    high: float
    member_mask: Bools


def compute_characteristics(ground_truth: Segments, durations: Floats) -> dict[str, Floats]:
    """A value for each ground truth; nan where a video's length is not known."""
    length = ground_truth.stop - ground_truth.start
    return {
        "length": length,
        "coverage": length / durations[ground_truth.video],
        "instances": _alike(ground_truth).astype(np.float64),
    }


def group_by_value(values: Floats) -> list[InstanceGroup]:
    """Fifths of the known values, fewer where many are equal."""
    known = np.isfinite(values)
    if not known.any():
        return []
    edges = np.unique(np.quantile(values[known], QUANTILES))
    place = np.where(known, np.searchsorted(edges, values, "left"), -1)
    found = (place == k for k in range(len(edges) + 1))
    return [InstanceGroup(float(values[m].min()), float(values[m].max()), m) for m in found if m.any()]


def compute_sensitivities(
    matches: MatchedDetections, matched_ranks: Ints, groups: Sequence[InstanceGroup]
) -> list[float]:
    """Of each group, the mean over thresholds and classes of AP for its actions alone.

    Detections that have other actions count neither way. Precision is normalised (Hoiem et al. 2012), as if every
    group had the same number of actions: R N / (R N + F) at recall R after F false ones, N a class's mean number.
    holders [thresholds, ground truths] are `matching.holding`'s.
    """
    rows = dict(group_by_label(matches.detections.label))
    number = len(matches.ground_truth) / len(np.unique(matches.ground_truth.label))
    return [_sensitivity(matches, matched_ranks, group.member_mask, rows, number) for group in groups]


def _sensitivity(
    judged: MatchedDetections, holders: Ints, members: Bools, rows: Mapping[int, Ints], number: float
) -> float:
    nothing = np.zeros(0, np.int64)
    found = []
    for label in np.unique(judged.ground_truth.label[members]).tolist():
        mine = judged.ground_truth.label == label
        for row in holders:
            wanted, others = row[mine & members], row[mine & ~members]
            found.append(_normalised(rows.get(label, nothing), wanted, others, number))
    return float(np.mean(found))


def _normalised(ranks: Ints, wanted: Ints, others: Ints, number: float) -> float:
    """One class at one threshold: its detections' ranks, and the ranks that have the group's actions and others."""
    hit = np.isin(ranks, wanted)
    false = np.cumsum(~hit & ~np.isin(ranks, others))[hit]
    recall = np.arange(1, len(false) + 1) / len(wanted)
    precision = recall * number / (recall * number + false)
    return float(compute_interpolated_ap(precision, recall, np.full(len(false), 1 / len(wanted))))


def _alike(truth: Segments) -> Ints:
    """How many actions of its class each one's video has."""
    _, which, counts = np.unique(np.stack([truth.video, truth.label]), axis=1, return_inverse=True, return_counts=True)
    number: Ints = counts[which.reshape(-1)]
    return number
