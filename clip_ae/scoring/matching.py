"""Which detections are true: a detection and a ground truth of its video and class belong together, one to one.

Both rules are stable matchings (Gale and Shapley 1962) in which all of one side agree whom they prefer. So all may ask
at once, and whoever is refused asks for its next best: the result of asking one after the other, in a few rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clip_ae.core.tiou import tiou
from clip_ae.scoring.segments import Bools, Ints, Segments


@dataclass(frozen=True)
class OverlapPairs:
    """Overlapping detections (by rank) and ground truths of one video and class."""

    detection_index: Ints
    ground_truth_index: Ints
    tiou: np.ndarray[tuple[int], np.dtype[np.float64]]

    def take(self, index: np.ndarray[tuple[int], np.dtype[np.generic]]) -> "OverlapPairs":
        return OverlapPairs(self.detection_index[index], self.ground_truth_index[index], self.tiou[index])


def match_activitynet(ground_truth: Segments, detections: Segments, thresholds: Sequence[float]) -> Bools:
    """[thresholds, detections]: by falling score each detection takes the free ground truth that it overlaps most.

    An overlap that equals the threshold reaches it.
    """
    hits = np.zeros((len(thresholds), len(detections)), np.bool_)
    for hit, holders in zip(hits, match_ground_truth(ground_truth, detections, thresholds), strict=True):
        hit[holders[holders < len(detections)]] = True
    return hits


def match_ground_truth(ground_truth: Segments, detections: Segments, thresholds: Sequence[float]) -> Ints:
    """[thresholds, ground truths]: the rank of the detection that has each; the number of detections where none has."""
    # Of equal overlaps the earlier ground truth is taken, whatever the file's order.
    order = np.lexsort((ground_truth.stop, ground_truth.start, ground_truth.video, ground_truth.label))
    pairs = find_overlaps(ground_truth.take(order), detections)
    pairs = pairs.take(pairs.tiou >= min(thresholds))
    pairs = pairs.take(np.lexsort((pairs.ground_truth_index, -pairs.tiou, pairs.detection_index)))
    holders = np.empty((len(thresholds), len(ground_truth)), np.int64)
    for row, threshold in zip(holders, thresholds, strict=True):
        enough = pairs.take(pairs.tiou >= threshold)
        row[order] = stable_match(
            enough.detection_index, enough.ground_truth_index, len(ground_truth), unmatched=len(detections)
        )
    return holders


def match_thumos14(ground_truth: Segments, detections: Segments, thresholds: Sequence[float]) -> Bools:
    """[thresholds, detections]: in the file's order each ground truth takes the free detection that overlaps it most.

    The detection's score plays no part, and its overlap must exceed the threshold (the challenge's own kit).
    """
    ground_truth = ground_truth.take(np.lexsort((ground_truth.video, ground_truth.label)))
    pairs = find_overlaps(ground_truth, detections)
    pairs = pairs.take(np.lexsort((pairs.detection_index, -pairs.tiou, pairs.ground_truth_index)))
    enough = (pairs.take(pairs.tiou > threshold) for threshold in thresholds)
    return np.stack(
        [
            stable_match(e.ground_truth_index, e.detection_index, len(detections), unmatched=len(ground_truth))
            < len(ground_truth)
            for e in enough
        ]
    )


def find_overlaps(ground_truth: Segments, detections: Segments) -> OverlapPairs:
    """All pairs with a shared moment; the ground truth must be in order of label, then video."""
    videos = 1 + max(ground_truth.video.max(initial=0), detections.video.max(initial=0))
    labels = 1 + max(ground_truth.label.max(initial=0), detections.label.max(initial=0))
    held = np.bincount(ground_truth.label * videos + ground_truth.video, minlength=labels * videos)
    wanted = detections.label * videos + detections.video
    first, count = (np.cumsum(held) - held)[wanted], held[wanted]
    detection = np.repeat(np.arange(len(detections)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    other = np.repeat(first, count) + within
    overlap = tiou(
        detections.start[detection], detections.stop[detection], ground_truth.start[other], ground_truth.stop[other]
    )
    shared = overlap > 0
    return OverlapPairs(detection[shared], other[shared], overlap[shared])


def get_overlap_mask(segments: Segments, ranked: Segments) -> Bools:
    """Which detections share a moment with some segment of their video, whatever its label."""
    alike = (Segments(s.video, np.zeros_like(s.label), s.start, s.stop, s.score) for s in (segments, ranked))
    others, detections = alike
    found = np.zeros(len(ranked), np.bool_)
    found[find_overlaps(others.take(np.argsort(others.video, kind="stable")), detections).detection_index] = True
    return found


def stable_match(proposer: Ints, candidate: Ints, n: int, *, unmatched: int) -> Ints:
    """Who gets each place: the lowest number goes first, each to the first free place of its own list.

    asking is sorted; asked has each one's places, the best first. A place that nobody gets has the number `nobody`.
    """
    holder = np.full(n, unmatched)
    place = np.flatnonzero(np.diff(proposer, prepend=-1))
    last = np.append(place[1:], len(proposer)) - 1
    while len(place):
        np.minimum.at(holder, candidate[place], proposer[place])
        # Those who hold their choice stay there: they may still be ousted by a lower number.
        refused = holder[candidate[place]] != proposer[place]
        if not refused.any():
            break
        place = place + refused
        place, last = place[place <= last], last[place <= last]
    return holder
