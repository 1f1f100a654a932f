"""Average precision of temporal detections, with ActivityNet's rules, in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.overlap import tiou

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# A tIoU that equals the threshold up to rounding reaches it.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Segments:
    """Segments as columns: a video's and a label's index, seconds, and a score (1 for ground truth)."""

    video: Ints
    label: Ints
    start: Floats
    stop: Floats
    score: Floats

    def __len__(self) -> int:
        return len(self.video)

    def take(self, index: NDArray[np.generic]) -> "Segments":
        return Segments(*(column[index] for column in (self.video, self.label, self.start, self.stop, self.score)))


def average_precision(truth: Segments, detections: Segments, thresholds: Sequence[float], classes: int) -> Floats:
    """AP [thresholds, classes]; a class without ground truth has 0, and is not to be averaged."""
    truth = truth.take(np.lexsort((truth.stop, truth.start, truth.video, truth.label)))
    d = detections
    # Equal scores are ordered by video and time, so that no order of the file shows.
    ranked = d.take(np.lexsort((d.stop, d.start, d.video, -d.score)))
    positives = np.bincount(truth.label, minlength=classes)
    pairs = _pairs(truth, ranked)
    hits = (_hits(pairs, threshold, len(truth), len(ranked)) for threshold in thresholds)
    return np.stack([_interpolated(hit, ranked.label, positives) for hit in hits])


def mean_over_classes(ap: Floats, truth: Segments) -> Floats:
    """mAP a threshold, over the classes that occur in the ground truth."""
    mean: Floats = ap[:, np.unique(truth.label)].mean(axis=1)
    return mean


@dataclass(frozen=True)
class _Pairs:
    """Overlapping (detection, ground truth) of one video and class: by rank of the detection, then falling tIoU."""

    detection: Ints
    truth: Ints
    tiou: Floats


def _pairs(truth: Segments, ranked: Segments) -> _Pairs:
    videos = 1 + max(truth.video.max(initial=0), ranked.video.max(initial=0))
    group, wanted = truth.label * videos + truth.video, ranked.label * videos + ranked.video
    first = np.searchsorted(group, wanted, "left")
    count = np.searchsorted(group, wanted, "right") - first
    detection = np.repeat(np.arange(len(ranked)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    other = np.repeat(first, count) + within
    overlap = tiou(ranked.start[detection], ranked.stop[detection], truth.start[other], truth.stop[other])
    order = np.lexsort((-overlap, detection))
    order = order[overlap[order] > 0]
    return _Pairs(detection[order], other[order], overlap[order])


def _hits(pairs: _Pairs, threshold: float, truths: int, detections: int) -> NDArray[np.bool_]:
    """Which detections are true: by falling score, each takes the free ground truth that it overlaps most.

    That is the stable matching in which every ground truth prefers the higher score. So all may ask at
    once, and whoever is refused asks for its next best (Gale and Shapley 1962): the same result in a few rounds.
    """
    enough = pairs.tiou >= threshold - TOLERANCE
    asking, asked = pairs.detection[enough], pairs.truth[enough]
    holder = np.full(truths, detections)
    place = np.flatnonzero(np.diff(asking, prepend=-1))
    last = np.append(place[1:], len(asking)) - 1
    while len(place):
        np.minimum.at(holder, asked[place], asking[place])
        # Those who hold their choice stay there: they may still be ousted by a higher score.
        refused = holder[asked[place]] != asking[place]
        if not refused.any():
            break
        place = place + refused
        place, last = place[place <= last], last[place <= last]
    hit = np.zeros(detections + 1, np.bool_)
    hit[holder] = True
    return hit[:detections]


def _interpolated(hit: NDArray[np.bool_], label: Ints, positives: Ints) -> Floats:
    """VOC's all-point area. Recall rises at hits only, by 1 / positives; precision there is the best from there on."""
    ap = np.zeros(len(positives))
    for c in np.unique(label[hit]):
        rank = 1 + np.flatnonzero(hit[label == c])
        precision = np.arange(1, len(rank) + 1) / rank
        ap[c] = np.maximum.accumulate(precision[::-1]).sum() / positives[c]
    return ap
