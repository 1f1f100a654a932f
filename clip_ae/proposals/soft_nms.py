"""Soft non-maximum suppression (Bodla et al., ICCV 2017) with Gaussian decay, on segments in seconds."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.tiou import tiou
from clip_ae.proposals.segments import Floats


def soft_nms(segments: Floats, scores: Floats, sigma: float, min_score: float) -> tuple[NDArray[np.int64], Floats]:
    """Indices of the selected segments, best first, and their decayed scores.

    Each selected segment multiplies the scores of the remaining ones by exp(-tIoU^2 / sigma). Segments below
    `min_score` are dropped.
    """
    remaining, scores = np.arange(len(segments)), scores.astype(np.float64)
    selected: list[int] = []
    while True:
        remaining = remaining[scores[remaining] >= min_score]
        if not len(remaining):
            break
        best = remaining[np.argmax(scores[remaining])]
        selected.append(int(best))
        remaining = remaining[remaining != best]
        overlap = tiou(segments[best, 0], segments[best, 1], segments[remaining, 0], segments[remaining, 1])
        scores[remaining] *= np.exp(-np.square(overlap) / sigma)
    order = np.asarray(selected, np.int64)
    return order, scores[order]
