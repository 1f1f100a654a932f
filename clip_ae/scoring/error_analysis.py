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


def classify_detections(judged: MatchedDetections, thresholds: Sequence[float]) -> Ints:
    """[thresholds, detections]: a number of KINDS."""
    own = compute_best_tiou(judged.truth, judged.ranked)
    anyone = compute_best_tiou(_without_label(judged.truth), _without_label(judged.ranked))
    return np.stack([_kinds(hit, own, anyone, t) for hit, t in zip(judged.hit, thresholds, strict=True)])


def compute_best_tiou(truth: Segments, ranked: Segments) -> Floats:
    """Each detection's highest tIoU with ground truth of its video and class."""
    pairs = find_overlaps(truth.take(np.lexsort((truth.video, truth.label))), ranked)
    best = np.zeros(len(ranked))
    np.maximum.at(best, pairs.detection, pairs.tiou)
    return best


def count_types_in_top_kg(judged: MatchedDetections, kind: Ints) -> list[dict[str, int]]:
    """How many of each kind are among the k G best detections of the classes, G a class's instances, k from 1 to 10."""
    instances = np.bincount(judged.truth.label, minlength=1 + int(judged.ranked.label.max(initial=0)))
    place = _place_in_class(judged.ranked.label)
    found = []
    for k in TOP_G_MULTIPLES:
        counts = np.bincount(kind[place < k * instances[judged.ranked.label]], minlength=len(ERROR_TYPES))
        found.append(dict(zip(ERROR_TYPES, counts.tolist(), strict=True)))
    return found


def compute_error_impact(judged: MatchedDetections, kind: Ints, classes: int) -> dict[str, Floats]:
    """By how much mAP [thresholds] would be higher without the false detections of each kind."""
    whole = _mean(judged, classes)
    without = {
        name: replace(judged, counted=judged.counted & (kind != k)) for k, name in enumerate(ERROR_TYPES) if k != TRUE
    }
    return {name: _mean(rest, classes) - whole for name, rest in without.items()}


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
    return average_over_classes(compute_average_precision(judged, classes), judged.truth)
