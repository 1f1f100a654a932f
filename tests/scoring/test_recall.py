"""R@n against a reference loop, its properties and its intervals."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.core.errors import UserError
from clip_ae.core.types import GroundingQuery
from clip_ae.scoring.bootstrap import compute_bootstrap_interval, draw_videos
from clip_ae.scoring.recall import compute_recall

Moment = tuple[float, float]
Search = tuple[GroundingQuery, list[Moment]]
RANKS, TIOUS = (1, 2, 5), (0.1, 0.3, 0.5, 0.7, 1.0)

MOMENTS = st.tuples(st.integers(0, 12), st.integers(0, 8)).map(lambda m: (m[0] / 2, (m[0] + m[1]) / 2))
SEARCHES = st.lists(
    st.tuples(
        st.builds(
            GroundingQuery, st.sampled_from("abc"), st.just("it"), st.lists(MOMENTS, min_size=1, max_size=3).map(tuple)
        ),
        st.lists(MOMENTS, max_size=7),
    ),
    min_size=1,
    max_size=6,
)


def score(searches: Sequence[Search]) -> dict:
    return compute_recall([query for query, _ in searches], [moments for _, moments in searches], RANKS, TIOUS)


def compute_tiou(a: Moment, b: Moment) -> float:
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union > 0 else 0.0


@settings(max_examples=200)
@given(SEARCHES)
def test_recall_equals_the_reference_loop(searches: list[Search]) -> None:
    result = score(searches)
    for n in RANKS:
        for t in TIOUS:
            hits = [
                any(compute_tiou(m, right) >= t for m in moments[:n] for right in q.moments) for q, moments in searches
            ]
            assert result[f"R@{n}"][f"{t:g}"] == pytest.approx(sum(hits) / len(searches), abs=1e-12)
    firsts = [
        max((compute_tiou(m, right) for m in moments[:1] for right in q.moments), default=0.0)
        for q, moments in searches
    ]
    assert result["mIoU"] == pytest.approx(sum(firsts) / len(searches), abs=1e-12)


@settings(max_examples=100)
@given(SEARCHES)
def test_recall_rises_with_rank_and_falls_with_tiou(searches: list[Search]) -> None:
    result = score(searches)
    table = np.array([[result[f"R@{n}"][f"{t:g}"] for t in TIOUS] for n in RANKS])
    assert (np.diff(table, axis=0) >= 0).all()
    assert (np.diff(table, axis=1) <= 0).all()


@settings(max_examples=50)
@given(SEARCHES)
def test_each_value_is_inside_its_interval_and_query_order_does_not_matter(searches: list[Search]) -> None:
    result = score(searches)
    for kind in (f"R@{n}" for n in RANKS):
        for t, (low, high) in result["interval"][kind].items():
            assert 0 <= low <= result[kind][t] + 1e-12
            assert result[kind][t] - 1e-12 <= high <= 1
    reversed_result = score(searches[::-1])
    assert reversed_result["R@1"] == pytest.approx(result["R@1"])
    assert reversed_result["interval"]["R@1"] == {
        t: pytest.approx(ends) for t, ends in result["interval"]["R@1"].items()
    }
    json.dumps(result, allow_nan=False)


def test_an_overlap_that_equals_the_tiou_reaches_it() -> None:
    query = GroundingQuery("v", "it", ((0.0, 10.0),))
    assert compute_recall([query], [[(0.0, 3.0)]], (1,), (0.3, 0.31))["R@1"] == {"0.3": 1.0, "0.31": 0.0}


def test_any_of_the_moments_is_right() -> None:
    query = GroundingQuery("v", "it", ((0.0, 2.0), (5.0, 9.0)))
    assert compute_recall([query], [[(5.0, 9.0)]])["R@1"] == {"0.3": 1.0, "0.5": 1.0, "0.7": 1.0}


def test_a_query_without_moments_is_missed() -> None:
    queries = [GroundingQuery("v", "it", ((0.0, 2.0),)), GroundingQuery("w", "it", ((0.0, 2.0),))]
    result = compute_recall(queries, [[(0.0, 2.0)], []])
    assert (result["R@1"]["0.5"], result["R@5"]["0.5"], result["mIoU"]) == (0.5, 0.5, 0.5)


def test_the_mean_tiou_is_of_the_first_moment_alone() -> None:
    query = GroundingQuery("v", "it", ((0.0, 4.0),))
    assert compute_recall([query], [[(0.0, 1.0), (0.0, 4.0)]], ranks=(5,))["mIoU"] == 0.25


def test_sentences_of_one_video_are_drawn_together() -> None:
    """Nine sentences of one video, all hits or all misses, are as uncertain as one sentence."""
    alone = [(GroundingQuery(f"v{k}", "it", ((0.0, 1.0),)), [(0.0, 1.0)] if k % 2 else []) for k in range(18)]
    together = [(GroundingQuery(f"v{k % 2}", "it", q.moments), moments) for k, (q, moments) in enumerate(alone)]
    widths = [np.ptp(score(searches)["interval"]["R@1"]["0.5"]) for searches in (alone, together)]
    assert 0.3 < widths[0] < 0.6
    assert widths[1] > 0.9


def test_a_draw_counts_the_sentences_of_its_videos() -> None:
    """Sentences count as often as their video is drawn, so a video with many sentences has more weight."""
    searches = [
        (GroundingQuery(v, "it", ((0.0, 1.0),)), [(0.0, 1.0)] if k % 3 else []) for k, v in enumerate("aaaaabbc")
    ]
    video, hits = np.array([0, 0, 0, 0, 0, 1, 1, 2]), np.array([bool(moments) for _, moments in searches])
    draws = np.array([np.repeat(hits, times[video]).mean() for times in draw_videos(1000, 3)])
    expected = np.clip(compute_bootstrap_interval(hits.mean(), draws), 0, 1)
    np.testing.assert_allclose(score(searches)["interval"]["R@1"]["0.5"], expected, atol=1e-12)


def test_moments_and_queries_must_have_the_same_length() -> None:
    with pytest.raises(ValueError, match="shorter"):
        compute_recall([GroundingQuery("v", "it", ((0.0, 1.0),))], [])


def test_no_queries_are_a_user_error() -> None:
    with pytest.raises(UserError, match="no sentence is left"):
        compute_recall([], [])
