"""One-to-one matching of detections with ground truth of the same video and class: it decides the true positives.

Both rules are stable matchings (Gale and Shapley 1962) in which all members of one side rank the other side alike.
So all can propose at once, and each refused one proposes to its next choice: a few vectorized rounds give the result of
the usual loop over detections or ground truths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.tiou import tiou
from clip_ae.scoring.segments import Bools, Floats, Ints, Segments, repeat_rows


@dataclass(frozen=True)
class OverlapPairs:
    """Pairs of a detection and a ground truth of one video and class that overlap, with their tIoU.

    detection_index is the rank of the detection if the detections are sorted by score.
    """

    detection_index: Ints
    ground_truth_index: Ints
    tiou: Floats

    def take(self, index: NDArray[np.generic]) -> "OverlapPairs":
        """The pairs at an index array, or where a mask is true."""
        return OverlapPairs(self.detection_index[index], self.ground_truth_index[index], self.tiou[index])


def match_activitynet(ground_truth: Segments, detections: Segments, thresholds: Sequence[float]) -> Bools:
    """True positives [thresholds, detections] by ActivityNet's rule.

    By falling score, each detection takes the free ground truth with the highest tIoU. A tIoU that equals the threshold
    is enough.
    """
    tp_mask = np.zeros((len(thresholds), len(detections)), np.bool_)
    for row, ranks in zip(tp_mask, match_ground_truth(ground_truth, detections, thresholds), strict=True):
        row[ranks[ranks < len(detections)]] = True
    return tp_mask


def match_ground_truth(ground_truth: Segments, detections: Segments, thresholds: Sequence[float]) -> Ints:
    """Rank of the detection matched to each ground truth [thresholds, ground truths]; len(detections) if unmatched."""
    # Sort, so that among equal overlaps the earlier ground truth is taken, whatever the order of the file.
    order = np.lexsort((ground_truth.stop, ground_truth.start, ground_truth.video, ground_truth.label))
    pairs = find_overlaps(ground_truth.take(order), detections)
    pairs = pairs.take(pairs.tiou >= min(thresholds))
    pairs = pairs.take(np.lexsort((pairs.ground_truth_index, -pairs.tiou, pairs.detection_index)))
    matched_ranks = np.empty((len(thresholds), len(ground_truth)), np.int64)
    for row, threshold in zip(matched_ranks, thresholds, strict=True):
        close = pairs.take(pairs.tiou >= threshold)
        row[order] = stable_match(
            close.detection_index, close.ground_truth_index, len(ground_truth), unmatched=len(detections)
        )
    return matched_ranks


def match_thumos14(ground_truth: Segments, detections: Segments, thresholds: Sequence[float]) -> Bools:
    """True positives [thresholds, detections] by the rule of the THUMOS14 challenge's kit.

    In file order, each ground truth takes the free detection with the highest tIoU. The scores of the detections do not
    matter, and the tIoU must exceed the threshold.
    """
    ground_truth = ground_truth.take(np.lexsort((ground_truth.video, ground_truth.label)))
    pairs = find_overlaps(ground_truth, detections)
    pairs = pairs.take(np.lexsort((pairs.detection_index, -pairs.tiou, pairs.ground_truth_index)))
    unmatched = len(ground_truth)
    matched_truths = []
    for threshold in thresholds:
        close = pairs.take(pairs.tiou > threshold)
        matched_truths.append(
            stable_match(close.ground_truth_index, close.detection_index, len(detections), unmatched=unmatched)
        )
    return np.stack(matched_truths) < unmatched


def find_overlaps(ground_truth: Segments, detections: Segments) -> OverlapPairs:
    """All pairs of one video and class that overlap; the ground truth must be sorted by label, then video."""
    num_videos = 1 + max(ground_truth.video.max(initial=0), detections.video.max(initial=0))
    num_labels = 1 + max(ground_truth.label.max(initial=0), detections.label.max(initial=0))
    # Ground truths are sorted by this key, so those of one key are neighbours.
    truth_key = ground_truth.label * num_videos + ground_truth.video
    detection_key = detections.label * num_videos + detections.video
    key_sizes = np.bincount(truth_key, minlength=num_labels * num_videos)
    first, count = (np.cumsum(key_sizes) - key_sizes)[detection_key], key_sizes[detection_key]
    detection, copy = repeat_rows(count)
    truth = first[detection] + copy
    overlap = tiou(
        detections.start[detection], detections.stop[detection], ground_truth.start[truth], ground_truth.stop[truth]
    )
    overlap_mask = overlap > 0
    return OverlapPairs(detection[overlap_mask], truth[overlap_mask], overlap[overlap_mask])


def get_overlap_mask(segments: Segments, detections: Segments) -> Bools:
    """Mask [detections]: true where a detection overlaps some segment of its video, whatever the labels."""
    by_video = segments.without_labels().take(np.argsort(segments.video, kind="stable"))
    overlap_mask = np.zeros(len(detections), np.bool_)
    overlap_mask[find_overlaps(by_video, detections.without_labels()).detection_index] = True
    return overlap_mask


def stable_match(proposer: Ints, candidate: Ints, num_candidates: int, *, unmatched: int) -> Ints:
    """Proposer [num_candidates] that each candidate is matched to; the number `unmatched` for a free candidate.

    proposer and candidate are the two columns of a list of pairs. Pairs are sorted by proposer, and those of one
    proposer by its preference, best first. Every candidate prefers the proposer with the lowest number.
    """
    holder = np.full(num_candidates, unmatched)
    row = np.flatnonzero(np.diff(proposer, prepend=-1))
    last = np.append(row[1:], len(proposer)) - 1
    while len(row):
        np.minimum.at(holder, candidate[row], proposer[row])
        # Matched proposers stay in the loop: one with a lower number may still replace them.
        refused_mask = holder[candidate[row]] != proposer[row]
        if not refused_mask.any():
            break
        row = row + refused_mask
        row, last = row[row <= last], last[row <= last]
    return holder
