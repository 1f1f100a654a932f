"""Average precision of one video at a time, to see which are found badly."""

from dataclasses import replace

import numpy as np

from clip_ae.scoring.average_precision import MatchedDetections, compute_average_precision
from clip_ae.scoring.segments import Floats


def compute_ap_by_video(matches: MatchedDetections, num_classes: int, num_videos: int) -> Floats:
    """[videos]: mean AP over the classes that a video shows and over thresholds, of its own detections alone.

    nan where nothing is annotated. A pair of a video and a class is scored as a class of its own.
    """
    truth, ranked = matches.ground_truth, matches.detections
    pairs, truth_pair = np.unique(truth.video * num_classes + truth.label, return_inverse=True)
    wanted = ranked.video * num_classes + ranked.label
    kept = np.flatnonzero(np.isin(wanted, pairs))
    apart = MatchedDetections(
        replace(truth, video=np.zeros_like(truth.video), label=truth_pair),
        replace(ranked.take(kept), video=np.zeros_like(kept), label=np.searchsorted(pairs, wanted[kept])),
        matches.tp_mask[:, kept],
        matches.counted_mask[:, kept],
        matches.protocol,
    )
    ap = compute_average_precision(apart, len(pairs)).mean(axis=0)
    total, shown = (np.bincount(pairs // num_classes, weights, num_videos) for weights in (ap, np.ones(len(pairs))))
    found: Floats = np.where(shown > 0, total / np.maximum(shown, 1), np.nan)
    return found
