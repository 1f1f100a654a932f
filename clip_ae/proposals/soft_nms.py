"""Soft non-maximum suppression (Bodla et al., ICCV 2017) with Gaussian decay, on segments in seconds."""

import heapq

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.tiou import tiou
from clip_ae.proposals.overlap_index import OverlapIndex
from clip_ae.proposals.segments import Floats

# Up to so many segments, the decay of every pair is computed at once: 32 MB of numbers.
MAX_TABLE = 2000


def soft_nms(segments: Floats, scores: Floats, sigma: float, min_score: float) -> tuple[NDArray[np.int64], Floats]:
    """Indices of the selected segments, best first, and their decayed scores.

    Each selected segment multiplies the scores of the remaining ones by exp(-tIoU^2 / sigma). Segments below
    `min_score` are dropped.
    """
    kept = np.flatnonzero(scores >= min_score)
    segments, scores = segments[kept], scores[kept].astype(np.float64)
    select = _select_by_table if len(kept) <= MAX_TABLE else _select_by_index
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


def _select_by_index(segments: Floats, scores: Floats, sigma: float, min_score: float) -> list[int]:
    """The same: only segments that may overlap the selected one are compared with it.

    Scores only fall, so the first of the heap is the best if its score there is still the present one.
    """
    index, rest = OverlapIndex(segments), scores.copy()
    heap = [(-score, k) for k, score in enumerate(scores.tolist())]
    heapq.heapify(heap)
    selected: list[int] = []
    while heap:
        score, best = -heap[0][0], heap[0][1]
        if rest[best] < score:
            heapq.heapreplace(heap, (-float(rest[best]), best))
            continue
        if score < min_score:
            break
        heapq.heappop(heap)
        selected.append(best)
        scores[best] = score
        found = index.find(*segments[best].tolist())
        rest[found] *= _compute_decay(segments[best], segments[found], sigma)
    return selected


def _compute_decay(first: Floats, second: Floats, sigma: float) -> Floats:
    overlap = tiou(first[..., 0], first[..., 1], second[..., 0], second[..., 1])
    return np.exp(-np.square(overlap) / sigma)
