"""Average precision of temporal detections under any protocol; times in seconds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clip_ae.scoring.matching import get_overlap_mask
from clip_ae.scoring.protocols import PROTOCOLS, ScoringProtocol
from clip_ae.scoring.segments import Bools, Floats, Ints, Segments

NO_SEGMENTS = Segments(*(np.zeros(0, np.int64),) * 2, *(np.zeros(0),) * 3)


@dataclass(frozen=True)
class MatchedDetections:
    """Detections in order of falling score, with their true positives.

    tp_mask and counted_mask are [thresholds, detections]. A detection that is not counted is neither a true nor a
    false positive.
    """

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
    """Match detections with ground truth at each tIoU threshold, by the rule of a protocol."""
    rules = PROTOCOLS[protocol]
    ranked = detections.sort_by_score()
    tp_mask = rules.match_rule(ground_truth, ranked, thresholds)
    ignored_mask = rules.ignores_ambiguous & get_overlap_mask(ambiguous, ranked)
    return MatchedDetections(ground_truth, ranked, tp_mask, tp_mask | ~ignored_mask, rules)


def compute_average_precision(matches: MatchedDetections, num_classes: int, video_counts: Ints | None = None) -> Floats:
    """AP [thresholds, classes]. A class without ground truth has AP 0; leave it out of means.

    With video_counts [draws, videos], how often each video counts: AP [draws, thresholds, classes].
    """
    if video_counts is None:
        num_videos = 1 + max(matches.ground_truth.video.max(initial=0), matches.detections.video.max(initial=0))
        unweighted: Floats = compute_average_precision(matches, num_classes, np.ones((1, num_videos), np.int64))[0]
        return unweighted
    num_ground_truths = count_ground_truths(matches.ground_truth, num_classes, video_counts)
    ap = np.zeros((len(video_counts), len(matches.tp_mask), num_classes))
    for label, rows in group_by_label(matches.detections.label):
        weights = video_counts[:, matches.detections.video[rows]]
        all_ranks = np.cumsum(weights, axis=1, dtype=weights.dtype)
        for t, (tp_mask, counted_mask) in enumerate(
            zip(matches.tp_mask[:, rows], matches.counted_mask[:, rows], strict=True)
        ):
            ranks = all_ranks if counted_mask.all() else np.cumsum(weights * counted_mask, axis=1)
            hits = np.flatnonzero(tp_mask)
            ap[:, t, label] = _compute_ap(
                matches.protocol, weights[:, hits], ranks[:, hits], num_ground_truths[:, label, None]
            )
    return ap


def count_ground_truths(ground_truth: Segments, num_classes: int, video_counts: Ints) -> Ints:
    """Number of ground truths [draws, classes]."""
    by_video = np.zeros((video_counts.shape[1], num_classes), np.int64)
    np.add.at(by_video, (ground_truth.video, ground_truth.label), 1)
    return video_counts @ by_video


def average_over_classes(ap: Floats, ground_truth: Segments) -> Floats:
    """mAP [thresholds] from AP [thresholds, classes], over the classes that occur in the ground truth."""
    mean: Floats = ap[:, np.unique(ground_truth.label)].mean(axis=1)
    return mean


def group_by_label(label: Ints) -> Iterator[tuple[int, Ints]]:
    """Each label that occurs, with the indices of its rows in their order."""
    order = np.argsort(label, kind="stable")
    values, first = np.unique(label[order], return_index=True)
    yield from zip(values.tolist(), np.split(order, first[1:]), strict=False)


def _compute_ap(protocol: ScoringProtocol, weights: Ints, ranks: Ints, num_ground_truths: Ints) -> Floats:
    """AP [draws] of one class at one threshold; weights and ranks [draws, hits].

    A video that counts several times has as many copies of a detection; the rank is that of the last copy.
    """
    true_positives = np.cumsum(weights, axis=1)
    # A rank is 0 before the first video that was drawn.
    precision = true_positives / np.maximum(ranks, 1)
    total = np.maximum(num_ground_truths, 1)
    return protocol.ap_rule(precision, true_positives / total, weights / total)
