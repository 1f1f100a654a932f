"""Recall of moments: whether one of the first n found for a sentence is, to a tIoU, one that it tells of."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clip_ae.core.config.schema import Evaluation
from clip_ae.core.errors import UserError
from clip_ae.core.tiou import tiou
from clip_ae.core.types import GroundingQuery
from clip_ae.scoring.bootstrap import draw_videos
from clip_ae.scoring.bootstrap_io import compute_clipped_interval
from clip_ae.scoring.segments import Bools, Floats

MomentSpans = Sequence[tuple[float, float]]
# A number of each query.
QueryValues = Floats | Bools


def compute_recall(
    queries: Sequence[GroundingQuery],
    found: Sequence[MomentSpans],
    ranks: Sequence[int] = (1, 5),
    tiou_thresholds: Sequence[float] = (0.3, 0.5, 0.7),
) -> dict[str, Any]:
    """R@n at each tIoU, `mIoU` of the first moment alone, and the `interval` of each; fractions of all sentences.

    found has the moments of each query, the best first. An overlap that equals a tIoU reaches it, and a sentence
    without moments is missed.
    """
    if not queries:
        raise UserError("no sentence is left to score by; check that the videos are those of the sentences")
    best = np.array([_best(q, moments, max(ranks)) for q, moments in zip(queries, found, strict=True)])

    def figures(measure: Callable[[QueryValues], Any]) -> dict[str, Any]:
        reached = {f"R@{n}": {f"{t:g}": measure(best[:, n - 1] >= t) for t in tiou_thresholds} for n in ranks}
        return {**reached, "mIoU": measure(best[:, 0])}

    return {**figures(_mean), "interval": figures(_interval([q.video_id for q in queries]))}


def _best(query: GroundingQuery, found: MomentSpans, most: int) -> Floats:
    """[most]: the highest tIoU among the first n moments, for every n."""
    start, stop = np.reshape(found[:most], (-1, 2)).T
    overlap = np.zeros(most)
    overlap[: len(start)] = tiou(start[:, None], stop[:, None], *np.transpose(query.moments)).max(axis=1)
    return np.maximum.accumulate(overlap)


def _mean(values: QueryValues) -> float:
    return float(np.mean(values))


def _interval(video_ids: Sequence[str]) -> Callable[[QueryValues], list[float]]:
    """Of a mean over queries: sentences of one video are drawn together."""
    videos, video = np.unique(video_ids, return_inverse=True)
    times = draw_videos(Evaluation().bootstrap_samples, len(videos))
    count = times @ np.bincount(video)

    def interval(values: QueryValues) -> list[float]:
        return compute_clipped_interval(_mean(values), times @ np.bincount(video, values) / count)

    return interval
