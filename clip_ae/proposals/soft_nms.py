"""Soft non-maximum suppression (Bodla et al., ICCV 2017) with Gaussian decay, on segments in seconds."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.tiou import tiou
from clip_ae.proposals.segments import Floats

# Up to so many segments, the decay of every pair is computed at once: 32 MB of numbers. More are compared one by one.
MAX_TABLE = 2000


def soft_nms(segments: Floats, scores: Floats, sigma: float, min_score: float) -> tuple[NDArray[np.int64], Floats]:
    """Indices of the selected segments, best first, and their decayed scores.

    Each selected segment multiplies the scores of the remaining ones by exp(-tIoU^2 / sigma). Segments below
    `min_score` are dropped.
    """
    kept = np.flatnonzero(scores >= min_score)
    segments, scores = segments[kept], scores[kept].astype(np.float64)
    select = _select_by_table if len(kept) <= MAX_TABLE else _select_by_rows
    order = np.asarray(select(segments, scores, sigma, min_score), np.int64)
    return kept[order], scores[order]


def _select_by_table(segments: Floats, scores: Floats, sigma: float, min_score: float) -> list[int]:
    """Decay the scores in place; return the selected segments in order."""
    decay = _compute_decay(segments[:, None], segments[None], sigma)
    remaining_mask = np.ones(len(scores), bool)
    # The scores of the remaining segments, and less than any of them for the others.
    rest = scores.copy()
    selected: list[int] = []
    while len(selected) < len(scores):
        best = int(np.argmax(rest))
        if rest[best] < min_score:
            break
        selected.append(best)
        scores[best] = rest[best]
        remaining_mask[best] = False
        rest[best] = -np.inf
        np.multiply(rest, decay[best], out=rest, where=remaining_mask)
    return selected


def _select_by_rows(segments: Floats, scores: Floats, sigma: float, min_score: float) -> list[int]:
    """The same, with the memory of one row of the table."""
    remaining = np.arange(len(scores))
    selected: list[int] = []
    while len(remaining):
        best = remaining[np.argmax(scores[remaining])]
        selected.append(int(best))
        remaining = remaining[remaining != best]
        scores[remaining] *= _compute_decay(segments[best], segments[remaining], sigma)
        remaining = remaining[scores[remaining] >= min_score]
    return selected


def _compute_decay(first: Floats, second: Floats, sigma: float) -> Floats:
    overlap = tiou(first[..., 0], first[..., 1], second[..., 0], second[..., 1])
    return np.exp(-np.square(overlap) / sigma)
