"""Sensitivity of detections to action characteristics: length, share of the video (coverage), instances in the video.

After DETAD (Alwassel et al., ECCV 2018). DETAD has fixed group edges for two datasets; here the groups are fifths of
the values, for any dataset.
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
    """Ground truths with similar values of a characteristic, with the lowest and the highest value among them."""

    low: float
    high: float
    member_mask: Bools


def compute_characteristics(ground_truth: Segments, durations: Floats) -> dict[str, Floats]:
    """Values [ground truths] of each characteristic; nan where a video's duration is unknown.

    `instances` is the number of ground truths of the same class in the same video.
    """
    length = ground_truth.stop - ground_truth.start
    return {
        "length": length,
        "coverage": length / durations[ground_truth.video],
        "instances": _count_same_class(ground_truth).astype(np.float64),
    }


def group_by_value(values: Floats) -> list[InstanceGroup]:
    """Fifths of the finite values; fewer groups if many values are equal."""
    finite_mask = np.isfinite(values)
    if not finite_mask.any():
        return []
    edges = np.unique(np.quantile(values[finite_mask], QUANTILES))
    group_index = np.where(finite_mask, np.searchsorted(edges, values, "left"), -1)
    masks = (group_index == k for k in range(len(edges) + 1))
    return [InstanceGroup(float(values[m].min()), float(values[m].max()), m) for m in masks if m.any()]


def compute_sensitivities(
    matches: MatchedDetections, matched_ranks: Ints, groups: Sequence[InstanceGroup]
) -> list[float]:
    """Normalised mAP of each group: the mean, over thresholds and classes, of the AP of its actions alone.

    Detections matched to other actions are ignored. Precision is normalised (Hoiem et al. 2012), as if every group had
    the same number of actions: R N / (R N + F) at recall R after F false positives, with N the mean number of actions
    of a class. matched_ranks [thresholds, ground truths] is the output of `matching.match_ground_truth`.
    """
    mean_instances = len(matches.ground_truth) / len(np.unique(matches.ground_truth.label))
    return _compute_group_maps(matches, matched_ranks, groups, mean_instances)


def compute_group_maps(matches: MatchedDetections, matched_ranks: Ints, groups: Sequence[InstanceGroup]) -> list[float]:
    """mAP of each group: as its sensitivity, but with the usual precision, TP / (TP + FP)."""
    return _compute_group_maps(matches, matched_ranks, groups, None)


def _compute_group_maps(
    matches: MatchedDetections, matched_ranks: Ints, groups: Sequence[InstanceGroup], num_instances: float | None
) -> list[float]:
    class_ranks = dict(group_by_label(matches.detections.label))
    truth_label = matches.ground_truth.label
    return [
        _compute_group_map(truth_label, matched_ranks, group.member_mask, class_ranks, num_instances)
        for group in groups
    ]


def _compute_group_map(
    truth_label: Ints,
    matched_ranks: Ints,
    member_mask: Bools,
    class_ranks: Mapping[int, Ints],
    num_instances: float | None,
) -> float:
    """Mean over thresholds and classes; class_ranks are the ranks of the detections of each class.

    num_instances normalises precision; None: the number of the class's actions in the group, which is the usual AP.
    """
    no_ranks = np.zeros(0, np.int64)
    ap = []
    for label in np.unique(truth_label[member_mask]).tolist():
        class_mask = truth_label == label
        for ranks in matched_ranks:
            member_ranks, other_ranks = ranks[class_mask & member_mask], ranks[class_mask & ~member_mask]
            instances = len(member_ranks) if num_instances is None else num_instances
            ap.append(compute_normalised_ap(class_ranks.get(label, no_ranks), member_ranks, other_ranks, instances))
    return float(np.mean(ap))


def compute_normalised_ap(ranks: Ints, member_ranks: Ints, other_ranks: Ints, num_instances: float) -> float:
    """Normalised AP of one class at one threshold; the usual AP if num_instances is len(member_ranks).

    ranks are those of the class's detections; member_ranks and other_ranks are those of the detections matched to the
    group's actions and to other actions.
    """
    tp_mask = np.isin(ranks, member_ranks)
    false_positives = np.cumsum(~tp_mask & ~np.isin(ranks, other_ranks))[tp_mask]
    recall = np.arange(1, len(false_positives) + 1) / len(member_ranks)
    precision = recall * num_instances / (recall * num_instances + false_positives)
    return float(compute_interpolated_ap(precision, recall, np.full(len(false_positives), 1 / len(member_ranks))))


def _count_same_class(truth: Segments) -> Ints:
    """Number of ground truths of the same class in the same video, for each ground truth."""
    keys = np.stack([truth.video, truth.label])
    _, key_index, key_counts = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
    counts: Ints = key_counts[key_index.reshape(-1)]
    return counts
