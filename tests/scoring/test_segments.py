"""Sorting segments: fast where they are nearly sorted, and the same as a sort by four columns."""

import numpy as np
import pytest

from clip_ae.scoring.mapping import apply_mapping
from clip_ae.scoring.segments import Segments


def random_segments(rng: np.random.Generator, count: int) -> Segments:
    """Few values of each column, so that most scores are tied."""
    video, label = rng.integers(0, 3, (2, count))
    start, stop, score = rng.integers(0, 4, (3, count)) / 4
    return Segments(video, label, start, stop, score)


def rows_of(segments: Segments) -> list[tuple[float, ...]]:
    columns = (segments.score, segments.video, segments.start, segments.stop, segments.label)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("count", [0, 1, 2, 5, 50, 500])
def test_sorted_by_falling_score_then_video_and_time(count: int) -> None:
    for seed in range(20):
        segments = random_segments(np.random.default_rng(seed), count)
        order = np.lexsort((segments.stop, segments.start, segments.video, -segments.score))
        once = segments.sort_by_score()
        assert rows_of(once) == rows_of(segments.take(order))
        assert rows_of(once.sort_by_score()) == rows_of(once)


def test_one_pair_out_of_order_among_equal_scores_is_sorted() -> None:
    zeros = np.zeros(3, np.int64)
    for column in ("video", "start", "stop"):
        values = {name: np.zeros(3) for name in ("start", "stop")} | {"video": zeros, column: np.array([0, 2, 1])}
        segments = Segments(values["video"], zeros, values["start"], values["stop"], np.ones(3))
        assert getattr(segments.sort_by_score(), column).tolist() == [0, 1, 2]


def test_copies_of_sorted_segments_are_one_sorted_run_for_each_weight() -> None:
    segments = random_segments(np.random.default_rng(0), 200).sort_by_score()
    mapped = apply_mapping(np.array([[1.0, 0.5], [0.5, 1.0], [0.0, 0.5]]), segments)
    assert np.count_nonzero(np.diff(mapped.score) > 0) <= 1
    assert sorted(rows_of(mapped)) == sorted(
        (row[0] * weight, *row[1:4], float(label))
        for row in rows_of(segments)
        for label, weight in enumerate([[1.0, 0.5], [0.5, 1.0], [0.0, 0.5]][int(row[4])])
        if weight
    )
