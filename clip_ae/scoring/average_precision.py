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

    ground_truth: Segments
    detections: Segments
    tp_mask: Bools
    counted_mask: Bools
    protocol: ScoringProtocol


def match(
    ground_truth: Segments,
    detections: Segments,
    thresholds: Sequence[float],
    protocol: str = "activitynet",
    ambiguous: Segments = NO_SEGMENTS,
) -> MatchedDetections:
    ranked, how = detections.sort_by_score(), PROTOCOLS[protocol]
    hit = how.match_rule(ground_truth, ranked, thresholds)
    forgiven = how.ignores_ambiguous & get_overlap_mask(ambiguous, ranked)
    return MatchedDetections(ground_truth, ranked, hit, hit | ~forgiven, how)


def compute_average_precision(matches: MatchedDetections, num_classes: int, video_counts: Ints | None = None) -> Floats:
    """AP [thresholds, classes]; a class without ground truth has 0, and is not to be averaged.

    With drawn [replicates, videos], how often each video counts, AP [replicates, thresholds, classes].
    """
    if video_counts is None:
        videos = 1 + max(matches.ground_truth.video.max(initial=0), matches.detections.video.max(initial=0))
        only: Floats = compute_average_precision(matches, num_classes, np.ones((1, videos), np.int64))[0]
        return only
    positives = count_ground_truths(matches.ground_truth, num_classes, video_counts)
    ap = np.zeros((len(video_counts), len(matches.tp_mask), num_classes))
    for label, rows in group_by_label(matches.detections.label):
        weight = video_counts[:, matches.detections.video[rows]]
        of_all = np.cumsum(weight, axis=1, dtype=weight.dtype)
        for t, (hit, counted) in enumerate(zip(matches.tp_mask[:, rows], matches.counted_mask[:, rows], strict=True)):
            ranks = of_all if counted.all() else np.cumsum(weight * counted, axis=1)
            ap[:, t, label] = _area(matches.protocol, weight, ranks, np.flatnonzero(hit), positives[:, label, None])
    return ap


def count_ground_truths(ground_truth: Segments, num_classes: int, video_counts: Ints) -> Ints:
    """Ground truths [replicates, classes]."""
    by_video = np.zeros((video_counts.shape[1], num_classes), np.int64)
    np.add.at(by_video, (ground_truth.video, ground_truth.label), 1)
    return video_counts @ by_video


def average_over_classes(ap: Floats, ground_truth: Segments) -> Floats:
    """mAP a threshold, over the classes that occur in the ground truth."""
    mean: Floats = ap[:, np.unique(ground_truth.label)].mean(axis=1)
    return mean


def _area(protocol: ScoringProtocol, weight: Ints, ranks: Ints, hits: Ints, positives: Ints) -> Floats:
    """One class at one threshold, for every row of weights. Of a video's copies the last one counts."""
    true = np.cumsum(weight[:, hits], axis=1)
    # Before the first video that was drawn there is nothing, not even a rank.
    precision, some = true / np.maximum(ranks[:, hits], 1), np.maximum(positives, 1)
    return protocol.ap_rule(precision, true / some, weight[:, hits] / some)


def group_by_label(label: Ints) -> Iterator[tuple[int, Ints]]:
    """Rows of each label that occurs, in their order."""
    order = np.argsort(label, kind="stable")
    values, first = np.unique(label[order], return_index=True)
    yield from zip(values.tolist(), np.split(order, first[1:]), strict=False)
