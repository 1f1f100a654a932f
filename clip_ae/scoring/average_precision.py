"""Average precision of temporal detections under any protocol; times in seconds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clip_ae.scoring.matching import get_overlap_mask
from clip_ae.scoring.protocols import PROTOCOLS, ScoringProtocol
from clip_ae.scoring.segments import Bools, Floats, Ints, Segments

# Most numbers in a table of videos and hits: 16 MB.
MAX_TABLE = 2_000_000
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


def compute_average_precision(matches: MatchedDetections, num_classes: int) -> Floats:
    """AP [thresholds, classes]. A class without ground truth has AP 0; leave it out of means."""
    num_videos = 1 + max(matches.ground_truth.video.max(initial=0), matches.detections.video.max(initial=0))
    ap: Floats = compute_ap_of_draws(matches, num_classes, np.ones((1, num_videos), np.int64))[0]
    return ap


def compute_ap_of_draws(matches: MatchedDetections, num_classes: int, video_counts: Ints) -> Floats:
    """AP [draws, thresholds, classes]; video_counts [draws, videos] is how often each video counts."""
    num_ground_truths = count_ground_truths(matches.ground_truth, num_classes, video_counts)
    ap = np.zeros((len(video_counts), len(matches.tp_mask), num_classes))
    # Few detections are true positives, so only their columns are read.
    hit_mask: Bools = np.any(matches.tp_mask, axis=0)
    all_count = bool(matches.counted_mask.all())
    for label, rows in group_by_label(matches.detections.label):
        video, any_hits = matches.detections.video[rows], np.flatnonzero(hit_mask[rows])
        tp_mask = matches.tp_mask[:, rows[any_hits]]
        # If every detection counts, it has the same rank at all thresholds.
        shared_ranks = rank_hits(video, any_hits, video_counts) if all_count else None
        for t, columns in enumerate(map(np.flatnonzero, tp_mask)):
            hits = any_hits[columns]
            if shared_ranks is None:
                ranks = rank_hits(video, hits, video_counts, matches.counted_mask[t, rows])
            else:
                ranks = shared_ranks[:, columns]
            ap[:, t, label] = _compute_ap(
                matches.protocol, video_counts[:, video[hits]], ranks, num_ground_truths[:, label, None]
            )
    return ap


def rank_hits(video: Ints, hits: Ints, video_counts: Ints, counted_mask: Bools | None = None) -> Floats:
    """Ranks [draws, hits] of the detections at `hits` among those that count, if videos count several times.

    `video` is that of each detection, by falling score. The detections between two hits are counted by video, so that
    one product of matrices adds them up for all draws; a cumulative sum over the detections takes ten times as long.
    """
    # What comes after the last hit changes no rank.
    last = hits[-1] + 1 if len(hits) else 0
    counted = np.arange(last) if counted_mask is None else np.flatnonzero(counted_mask[:last])
    video, next_hit = video[counted], np.searchsorted(hits, counted)
    if len(video_counts) == 1:
        by_hit = np.bincount(next_hit, weights=video_counts[0, video], minlength=len(hits)).astype(np.float64)
        return np.cumsum(by_hit)[None]
    present, local_video = np.unique(video, return_inverse=True)
    counts = video_counts[:, present].astype(np.float64)
    ranks = np.empty((len(video_counts), len(hits)))
    block = max(1, MAX_TABLE // max(1, len(present)))
    for first in range(0, len(hits), block):
        columns = min(block, len(hits) - first)
        rows = slice(*np.searchsorted(next_hit, (first, first + columns)))
        cells = local_video[rows] * columns + next_hit[rows] - first
        table = np.bincount(cells, minlength=len(present) * columns).reshape(len(present), columns)
        ranks[:, first : first + columns] = counts @ table.astype(np.float64)
    # Whole numbers far below 2^53: the sums are exact in any order.
    return np.cumsum(ranks, axis=1)


def count_ground_truths(ground_truth: Segments, num_classes: int, video_counts: Ints) -> Floats:
    """Number of ground truths [draws, classes]."""
    by_video = np.zeros((video_counts.shape[1], num_classes))
    np.add.at(by_video, (ground_truth.video, ground_truth.label), 1)
    # In float64, numpy multiplies matrices by BLAS; the numbers stay whole.
    counts: Floats = video_counts.astype(np.float64) @ by_video
    return counts


def average_over_classes(ap: Floats, ground_truth: Segments) -> Floats:
    """mAP [thresholds] from AP [thresholds, classes], over the classes that occur in the ground truth."""
    mean: Floats = ap[:, np.unique(ground_truth.label)].mean(axis=1)
    return mean


def group_by_label(label: Ints) -> Iterator[tuple[int, Ints]]:
    """Each label that occurs, with the indices of its rows in their order."""
    order = np.argsort(label, kind="stable")
    values, first = np.unique(label[order], return_index=True)
    yield from zip(values.tolist(), np.split(order, first[1:]), strict=False)


def _compute_ap(protocol: ScoringProtocol, weights: Ints, ranks: Floats, num_ground_truths: Floats) -> Floats:
    """AP [draws] of one class at one threshold; weights and ranks [draws, hits].

    A video that counts several times has as many copies of a detection; the rank is that of the last copy.
    """
    true_positives = np.cumsum(weights, axis=1)
    # A rank is 0 before the first video that was drawn.
    precision = true_positives / np.maximum(ranks, 1)
    total = np.maximum(num_ground_truths, 1)
    return protocol.ap_rule(precision, true_positives / total, weights / total)
