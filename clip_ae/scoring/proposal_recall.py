"""Average recall of class-agnostic proposals (AR@AN), as ActivityNet's proposal task defines it.

Proposals are detections without their labels. With AN proposals a video on average, each video has the same share of
its own proposals: the best floor(n AN V / N) of its n, where V videos have N proposals together. Recall at a tIoU
threshold is the share of actions that one of these proposals overlaps by the threshold or more; AR is its mean over
thresholds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from clip_ae.core.types import Detection
from clip_ae.scoring.matching import find_overlaps
from clip_ae.scoring.segments import Floats, Ints, Segments, make_segments, rank_in_group

MAX_AN = 100
REPORTED_ANS = (10, 50, 100)


def summarize_proposals(ground_truth: Segments, proposals: Segments, thresholds: Sequence[float]) -> dict[str, Any]:
    """AR at REPORTED_ANS, the area under AR over AN, and the mean number of proposals that a video has."""
    recall = compute_average_recall(ground_truth, proposals, thresholds)
    num_videos = len(np.unique(ground_truth.video))
    return {
        "AR": {str(an): float(recall[an - 1]) for an in REPORTED_ANS},
        "AUC": compute_recall_area(recall),
        "per_video": float(np.isin(proposals.video, ground_truth.video).sum() / num_videos),
    }


def merge_proposals(detections: Sequence[Detection], videos: Sequence[str]) -> Segments:
    """Detections of the videos without labels; a segment that several labels have is one, with its best score."""
    video_index = {name: i for i, name in enumerate(videos)}
    best_score: dict[tuple[int, float, float], float] = {}
    for d in detections:
        if d.video_id in video_index:
            segment = (video_index[d.video_id], d.start, d.stop)
            best_score[segment] = max(d.score, best_score.get(segment, d.score))
    return make_segments([(video, 0, start, stop, score) for (video, start, stop), score in best_score.items()])


def compute_average_recall(ground_truth: Segments, proposals: Segments, thresholds: Sequence[float]) -> Floats:
    """AR [MAX_AN] at 1, 2, ... MAX_AN proposals a video on average; only videos with ground truth count.

    Proposals of one segment must be merged; the labels of both are ignored.
    """
    truth = ground_truth.without_labels().take(np.argsort(ground_truth.video, kind="stable"))
    ranked = proposals.take(np.isin(proposals.video, truth.video)).without_labels().sort_by_score()
    first_ranks = _find_first_ranks(truth, ranked, thresholds)
    num_allowed = _count_allowed(truth, ranked)
    recalled_mask = first_ranks[None] < num_allowed[:, None]
    recall: Floats = recalled_mask.mean(axis=(1, 2))
    return recall


def compute_recall_area(average_recall: Floats) -> float:
    """Area under AR over AN from 1 to MAX_AN by the trapezoidal rule, divided by MAX_AN: at most 0.99."""
    return float(((average_recall[1:] + average_recall[:-1]) / 2).sum() / MAX_AN)


def _find_first_ranks(truth: Segments, ranked: Segments, thresholds: Sequence[float]) -> Ints:
    """Rank in its video of the first proposal that reaches each threshold [thresholds, ground truths].

    It is len(ranked) where no proposal does.
    """
    pairs = find_overlaps(truth, ranked)
    rank = rank_in_group(ranked.video)
    first_ranks = np.full((len(thresholds), len(truth)), len(ranked))
    for row, threshold in zip(first_ranks, thresholds, strict=True):
        close = pairs.take(pairs.tiou >= threshold)
        np.minimum.at(row, close.ground_truth_index, rank[close.detection_index])
    return first_ranks


def _count_allowed(truth: Segments, ranked: Segments) -> Ints:
    """Number of proposals [MAX_AN, ground truths] that the video of each ground truth may have."""
    num_videos = len(np.unique(truth.video))
    num_proposals = np.bincount(ranked.video, minlength=1 + truth.video.max(initial=0))[truth.video]
    share = np.arange(1, MAX_AN + 1)[:, None] * num_videos
    allowed: Ints = np.minimum(num_proposals, share * num_proposals // max(1, len(ranked)))
    return allowed
