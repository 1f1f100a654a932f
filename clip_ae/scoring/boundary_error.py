"""Boundary error: how many seconds the start and the end of true detections are away from those of their actions."""

from typing import Any

import numpy as np

from clip_ae.scoring.segments import Floats, Ints, Segments


def measure_boundary_error(ground_truth: Segments, detections: Segments, matched_ranks: Ints) -> dict[str, Any]:
    """Errors in seconds over the matched actions, for `start` and `stop`; None without any.

    matched_ranks [ground truths] is a row of `matching.match_ground_truth`.
    """
    matched_mask = matched_ranks < len(detections)
    truth, found = ground_truth.take(matched_mask), detections.take(matched_ranks[matched_mask])
    return {
        "actions": len(truth),
        "start": _summarize(found.start - truth.start),
        "stop": _summarize(found.stop - truth.stop),
    }


def _summarize(error: Floats) -> dict[str, float] | None:
    """Median of the absolute error, and mean of the signed error: negative is too early, positive is too late."""
    if not len(error):
        return None
    return {"median_absolute_s": float(np.median(np.abs(error))), "mean_signed_s": float(error.mean())}
