"""What is wrong with false detections, after DETAD (Alwassel et al., ECCV 2018), and what each kind costs.

A detection that is not true at a tIoU is, in this order:
    double         its class's action is there, to the tIoU, but another detection has it
    wrong label    another class's action is there, to the tIoU
    localization   its class's action is there, less well
    confusion      another class's action is there, less well
    background     no action is there to a tIoU of 0.1
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clip_ae.core.error_types import ERROR_TYPES
from clip_ae.scoring.average_precision import MatchedDetections, average_over_classes, compute_average_precision
from clip_ae.scoring.matching import find_overlaps
from clip_ae.scoring.segments import Bools, Floats, Ints, Segments

TRUE, DOUBLE, WRONG_LABEL, LOCALIZATION, CONFUSION, BACKGROUND = range(len(ERROR_TYPES))
# Below it a detection has nothing to do with an action.
BACKGROUND_TIOU = 0.1
TOP_G_MULTIPLES = tuple(range(1, 11))


def classify_detections(matches: MatchedDetections, thresholds: Sequence[float]) -> Ints:
    """[thresholds, detections]: a number of KINDS."""
    own = compute_best_tiou(matches.ground_truth, matches.detections)
    anyone = compute_best_tiou(_without_label(matches.ground_truth), _without_label(matches.detections))
    return np.stack([_kinds(hit, own, anyone, t) for hit, t in zip(matches.tp_mask, thresholds, strict=True)])


def compute_best_tiou(ground_truth: Segments, detections: Segments) -> Floats:
    """Each detection's highest tIoU with ground truth of its video and class."""
    pairs = find_overlaps(ground_truth.take(np.lexsort((ground_truth.video, ground_truth.label))), detections)
    best = np.zeros(len(detections))
    np.maximum.at(best, pairs.detection_index, pairs.tiou)
    return best


def count_types_in_top_kg(matches: MatchedDetections, detection_types: Ints) -> list[dict[str, int]]:
    """How many of each kind are among the k G best detections of the classes, G a class's instances, k from 1 to 10."""
    instances = np.bincount(matches.ground_truth.label, minlength=1 + int(matches.detections.label.max(initial=0)))
    place = _place_in_class(matches.detections.label)
    found = []
    for k in TOP_G_MULTIPLES:
        counts = np.bincount(
            detection_types[place < k * instances[matches.detections.label]], minlength=len(ERROR_TYPES)
        )
        found.append(dict(zip(ERROR_TYPES, counts.tolist(), strict=True)))
    return found


def compute_error_impact(matches: MatchedDetections, detection_types: Ints, num_classes: int) -> dict[str, Floats]:
    """By how much mAP [thresholds] would be higher without the false detections of each kind."""
    whole = _mean(matches, num_classes)
    without = {
        name: replace(matches, counted_mask=matches.counted_mask & (detection_types != k))
        for k, name in enumerate(ERROR_TYPES)
        if k != TRUE
    }
    return {name: _mean(rest, num_classes) - whole for name, rest in without.items()}


def _kinds(hit: Bools, own: Floats, anyone: Floats, threshold: float) -> Ints:
    faint = min(BACKGROUND_TIOU, threshold)
    tests = [hit, own >= threshold, anyone >= threshold, own >= faint, anyone >= faint]
    return np.select(tests, [TRUE, DOUBLE, WRONG_LABEL, LOCALIZATION, CONFUSION], BACKGROUND)


def _place_in_class(label: Ints) -> Ints:
    """Each detection's rank among those of its class, from 0."""
    order = np.argsort(label, kind="stable")
    first = np.searchsorted(label[order], label[order], "left")
    place = np.empty(len(label), np.int64)
    place[order] = np.arange(len(label)) - first
    return place


def _without_label(some: Segments) -> Segments:
    return replace(some, label=np.zeros_like(some.label))


def _mean(judged: MatchedDetections, classes: int) -> Floats:
    return average_over_classes(compute_average_precision(judged, classes), judged.ground_truth)
