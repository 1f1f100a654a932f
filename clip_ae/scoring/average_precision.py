"""Average precision of temporal detections, in seconds, under any protocol."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clip_ae.scoring.matching import get_overlap_mask
from clip_ae.scoring.protocols import PROTOCOLS, ScoringProtocol
from clip_ae.scoring.segments import Bools, Floats, Ints, Segments

NO_SEGMENTS = Segments(*(np.zeros(0, np.int64),) * 2, *(np.zeros(0),) * 3)


@dataclass(frozen=True)
class MatchedDetections:
    """Detections by falling score; hit and counted [thresholds, detections]. Some are neither true nor false."""

    truth: Segments
    ranked: Segments
    hit: Bools
    counted: Bools
    protocol: ScoringProtocol


def match(
    truth: Segments,
    detections: Segments,
    thresholds: Sequence[float],
    protocol: str = "activitynet",
    ambiguous: Segments = NO_SEGMENTS,
) -> MatchedDetections:
    ranked, how = detections.ranked(), PROTOCOLS[protocol]
    hit = how.match(truth, ranked, thresholds)
    forgiven = how.forgives & get_overlap_mask(ambiguous, ranked)
    return MatchedDetections(truth, ranked, hit, hit | ~forgiven, how)


def compute_average_precision(judged: MatchedDetections, classes: int, drawn: Ints | None = None) -> Floats:
    """AP [thresholds, classes]; a class without ground truth has 0, and is not to be averaged.

    With drawn [replicates, videos], how often each video counts, AP [replicates, thresholds, classes].
    """
    if drawn is None:
        videos = 1 + max(judged.truth.video.max(initial=0), judged.ranked.video.max(initial=0))
        only: Floats = compute_average_precision(judged, classes, np.ones((1, videos), np.int64))[0]
        return only
    positives = count_ground_truths(judged.truth, classes, drawn)
    ap = np.zeros((len(drawn), len(judged.hit), classes))
    for label, rows in group_by_label(judged.ranked.label):
        weight = drawn[:, judged.ranked.video[rows]]
        of_all = np.cumsum(weight, axis=1, dtype=weight.dtype)
        for t, (hit, counted) in enumerate(zip(judged.hit[:, rows], judged.counted[:, rows], strict=True)):
            ranks = of_all if counted.all() else np.cumsum(weight * counted, axis=1)
            ap[:, t, label] = _area(judged.protocol, weight, ranks, np.flatnonzero(hit), positives[:, label, None])
    return ap


def count_ground_truths(truth: Segments, classes: int, drawn: Ints) -> Ints:
    """Ground truths [replicates, classes]."""
    by_video = np.zeros((drawn.shape[1], classes), np.int64)
    np.add.at(by_video, (truth.video, truth.label), 1)
    return drawn @ by_video


def average_over_classes(ap: Floats, truth: Segments) -> Floats:
    """mAP a threshold, over the classes that occur in the ground truth."""
    mean: Floats = ap[:, np.unique(truth.label)].mean(axis=1)
    return mean


def _area(protocol: ScoringProtocol, weight: Ints, ranks: Ints, hits: Ints, positives: Ints) -> Floats:
    """One class at one threshold, for every row of weights. Of a video's copies the last one counts."""
    true = np.cumsum(weight[:, hits], axis=1)
    # Before the first video that was drawn there is nothing, not even a rank.
    precision, some = true / np.maximum(ranks[:, hits], 1), np.maximum(positives, 1)
    return protocol.area(precision, true / some, weight[:, hits] / some)


def group_by_label(label: Ints) -> Iterator[tuple[int, Ints]]:
    """Rows of each label that occurs, in their order."""
    order = np.argsort(label, kind="stable")
    values, first = np.unique(label[order], return_index=True)
    yield from zip(values.tolist(), np.split(order, first[1:]), strict=False)
