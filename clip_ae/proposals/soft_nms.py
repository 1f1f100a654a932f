"""Soft non-maximum suppression (Bodla et al., ICCV 2017), Gaussian, in seconds."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.tiou import tiou
from clip_ae.proposals.segments import Floats


def soft_nms(segments: Floats, scores: Floats, sigma: float, min_score: float) -> tuple[NDArray[np.int64], Floats]:
    """The segments that keep at least `minimum`, best first, and their scores after decay.

    Each segment taken multiplies the scores of those left by exp(-tIoU^2 / sigma).
    """
    left, scores = np.arange(len(segments)), scores.astype(np.float64)
    taken: list[int] = []
    while True:
        left = left[scores[left] >= min_score]
        if not len(left):
            break
        best = left[np.argmax(scores[left])]
        taken.append(int(best))
        left = left[left != best]
        overlap = tiou(segments[best, 0], segments[best, 1], segments[left, 0], segments[left, 1])
        scores[left] *= np.exp(-np.square(overlap) / sigma)
    order = np.asarray(taken, np.int64)
    return order, scores[order]
