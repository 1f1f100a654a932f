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

from clip_ae.core.error_types import KINDS
from clip_ae.scoring.average_precision import Judged, average_precision, mean_over_classes
from clip_ae.scoring.matching import overlapping
from clip_ae.scoring.segments import Bools, Floats, Ints, Segments

TRUE, DOUBLE, WRONG_LABEL, LOCALIZATION, CONFUSION, BACKGROUND = range(len(KINDS))
# Below it a detection has nothing to do with an action.
FAINT = 0.1
MULTIPLES = tuple(range(1, 11))


def kinds(judged: Judged, thresholds: Sequence[float]) -> Ints:
    """[thresholds, detections]: a number of KINDS."""
    own = best_overlap(judged.truth, judged.ranked)
    anyone = best_overlap(_without_label(judged.truth), _without_label(judged.ranked))
    return np.stack([_kinds(hit, own, anyone, t) for hit, t in zip(judged.hit, thresholds, strict=True)])


def best_overlap(truth: Segments, ranked: Segments) -> Floats:
    """Each detection's highest tIoU with ground truth of its video and class."""
    pairs = overlapping(truth.take(np.lexsort((truth.video, truth.label))), ranked)
    best = np.zeros(len(ranked))
    np.maximum.at(best, pairs.detection, pairs.tiou)
    return best


def at_multiples(judged: Judged, kind: Ints) -> list[dict[str, int]]:
    """How many of each kind are among the k G best detections of the classes, G a class's instances, k from 1 to 10."""
    instances = np.bincount(judged.truth.label, minlength=1 + int(judged.ranked.label.max(initial=0)))
    place = _place_in_class(judged.ranked.label)
    found = []
    for k in MULTIPLES:
        counts = np.bincount(kind[place < k * instances[judged.ranked.label]], minlength=len(KINDS))
        found.append(dict(zip(KINDS, counts.tolist(), strict=True)))
    return found


def costs(judged: Judged, kind: Ints, classes: int) -> dict[str, Floats]:
    """By how much mAP [thresholds] would be higher without the false detections of each kind."""
    whole = _mean(judged, classes)
    without = {name: replace(judged, counted=judged.counted & (kind != k)) for k, name in enumerate(KINDS) if k != TRUE}
    return {name: _mean(rest, classes) - whole for name, rest in without.items()}


def _kinds(hit: Bools, own: Floats, anyone: Floats, threshold: float) -> Ints:
    faint = min(FAINT, threshold)
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


def _mean(judged: Judged, classes: int) -> Floats:
    return mean_over_classes(average_precision(judged, classes), judged.truth)
