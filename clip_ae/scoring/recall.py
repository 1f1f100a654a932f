"""Recall of grounding: how often one of the first n moments of a sentence reaches a tIoU with a right moment."""

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
# One value for each query.
QueryValues = Floats | Bools


def compute_recall(
    queries: Sequence[GroundingQuery],
    moments: Sequence[MomentSpans],
    ranks: Sequence[int] = (1, 5),
    tiou_thresholds: Sequence[float] = (0.3, 0.5, 0.7),
) -> dict[str, Any]:
    """R@n at each tIoU threshold, `mIoU` of the first moment, and the bootstrap `interval` of each.

    R@n is a fraction of all queries. moments has the moments of each query, best first. A tIoU that equals the
    threshold is enough; a query without moments is a miss.
    """
    if not queries:
        raise UserError("no sentence is left to score; check that the videos are those of the sentences")
    best_tiou = np.array([_compute_best_tiou(q, spans, max(ranks)) for q, spans in zip(queries, moments, strict=True)])

    def measure(reduce: Callable[[QueryValues], Any]) -> dict[str, Any]:
        recall = {f"R@{n}": {f"{t:g}": reduce(best_tiou[:, n - 1] >= t) for t in tiou_thresholds} for n in ranks}
        return {**recall, "mIoU": reduce(best_tiou[:, 0])}

    return {**measure(_compute_mean), "interval": measure(_make_interval_function([q.video_id for q in queries]))}


def _compute_best_tiou(query: GroundingQuery, moments: MomentSpans, max_rank: int) -> Floats:
    """Highest tIoU among the first n moments, for n from 1 to max_rank [max_rank]."""
    start, stop = np.reshape(moments[:max_rank], (-1, 2)).T
    overlap = np.zeros(max_rank)
    overlap[: len(start)] = tiou(start[:, None], stop[:, None], *np.transpose(query.moments)).max(axis=1)
    return np.maximum.accumulate(overlap)


def _compute_mean(values: QueryValues) -> float:
    return float(np.mean(values))


def _make_interval_function(video_ids: Sequence[str]) -> Callable[[QueryValues], list[float]]:
    """A function for the bootstrap interval of a mean over queries; queries of one video are drawn together."""
    videos, query_video = np.unique(video_ids, return_inverse=True)
    video_counts = draw_videos(Evaluation().bootstrap_samples, len(videos))
    num_queries = video_counts @ np.bincount(query_video)

    def compute_interval(values: QueryValues) -> list[float]:
        draws = video_counts @ np.bincount(query_video, values) / num_queries
        return compute_clipped_interval(_compute_mean(values), draws)

    return compute_interval
