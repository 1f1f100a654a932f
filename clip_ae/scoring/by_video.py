"""Average precision of each video alone, to find the videos with the worst detections."""

from dataclasses import replace

import numpy as np

from clip_ae.scoring.average_precision import MatchedDetections, compute_average_precision
from clip_ae.scoring.segments import Floats


def compute_ap_by_video(matches: MatchedDetections, num_classes: int, num_videos: int) -> Floats:
    """AP [videos]: mean over thresholds and over the annotated classes of the video, from its own detections alone.

    nan for a video without annotations. Each pair of a video and an annotated class is scored like one class.
    """
    truth, detections = matches.ground_truth, matches.detections
    pairs, truth_pair = np.unique(truth.video * num_classes + truth.label, return_inverse=True)
    detection_pair = detections.video * num_classes + detections.label
    rows = np.flatnonzero(np.isin(detection_pair, pairs))
    matches_by_pair = MatchedDetections(
        replace(truth, video=np.zeros_like(truth.video), label=truth_pair),
        replace(detections.take(rows), video=np.zeros_like(rows), label=np.searchsorted(pairs, detection_pair[rows])),
        matches.tp_mask[:, rows],
        matches.counted_mask[:, rows],
        matches.protocol,
    )
    pair_ap = compute_average_precision(matches_by_pair, len(pairs)).mean(axis=0)
    pair_video = pairs // num_classes
    total = np.bincount(pair_video, pair_ap, num_videos)
    num_annotated_classes = np.bincount(pair_video, np.ones(len(pairs)), num_videos)
    ap: Floats = np.where(num_annotated_classes > 0, total / np.maximum(num_annotated_classes, 1), np.nan)
    return ap
