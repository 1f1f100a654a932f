"""Bootstrap over videos: a draw scores like copies of its videos; intervals and paired comparisons."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.scoring import average_precision
from clip_ae.scoring.average_precision import compute_ap_of_draws, compute_average_precision, match, rank_hits
from clip_ae.scoring.bootstrap import bootstrap_map, compare_scores, compute_bootstrap_interval, draw_videos
from clip_ae.scoring.segments import make_segments

VIDEOS, CLASSES, THRESHOLDS = 4, 2, (0.3, 0.6)
ROW = st.tuples(st.integers(0, VIDEOS - 1), st.integers(0, CLASSES - 1), st.integers(0, 12), st.integers(1, 8))


def make_rows(truth, detections):
    truth = [(v, c, a, a + n, 1.0) for v, c, a, n in truth]
    return truth, [(v, c, a, a + n, s / 9) for (v, c, a, n), s in detections]


def copy_rows(rows, counts):
    """Rows of each video as often as the video was drawn, each copy as a video of its own."""
    return [(v + VIDEOS * k, *rest) for v, *rest in rows for k in range(counts[v])]


@settings(max_examples=100)
@given(
    st.lists(ROW, min_size=1, max_size=8),
    st.lists(st.tuples(ROW, st.integers(0, 9)), max_size=15, unique_by=lambda d: d[1]),
    st.lists(st.integers(0, 3), min_size=VIDEOS, max_size=VIDEOS),
)
def test_a_draw_scores_like_copies_of_its_videos(truth, detections, counts):
    truth, detections = make_rows(truth, detections)
    weighted = compute_ap_of_draws(
        match(make_segments(truth), make_segments(detections), THRESHOLDS), CLASSES, np.array([counts, counts])
    )
    copies = match(make_segments(copy_rows(truth, counts)), make_segments(copy_rows(detections, counts)), THRESHOLDS)
    for draw in weighted:
        np.testing.assert_allclose(draw, compute_average_precision(copies, CLASSES), atol=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, VIDEOS - 1), st.booleans(), st.booleans()), max_size=30),
    st.lists(st.lists(st.integers(0, 3), min_size=VIDEOS, max_size=VIDEOS), min_size=1, max_size=3),
    st.integers(1, 20),
)
def test_ranks_of_hits_are_cumulative_sums(rows, counts, max_table):
    video, is_hit, is_counted = (np.array([row[k] for row in rows], kind) for k, kind in enumerate((int, bool, bool)))
    video_counts = np.array(counts)
    expected = np.cumsum(video_counts[:, video] * is_counted, axis=1)[:, is_hit]
    with patch.object(average_precision, "MAX_TABLE", max_table):
        ranks = rank_hits(video, np.flatnonzero(is_hit), video_counts, is_counted)
    assert ranks.tolist() == expected.tolist()


def test_draws_are_deterministic_and_have_as_many_videos_as_the_test_set():
    assert np.array_equal(draw_videos(50, 7), draw_videos(50, 7))
    assert (draw_videos(50, 7).sum(axis=1) == 7).all()


def test_map_of_a_draw_is_over_its_own_classes():
    """A perfect detector has mAP 1 in every draw, even if the only video of a class was not drawn."""
    truth = [(v, c, 0, 5, 1.0) for v, c in enumerate([0, 0, 0, 1])]
    means = bootstrap_map(match(make_segments(truth), make_segments(truth), THRESHOLDS), CLASSES, 200, VIDEOS)
    assert means.shape == (200, 2)
    assert (means == 1).all()


def test_draws_without_ground_truth_are_left_out():
    truth = [(0, 0, 0, 5, 1.0)]
    means = bootstrap_map(match(make_segments(truth), make_segments(truth), THRESHOLDS), CLASSES, 200, VIDEOS)
    assert 0 < len(means) < 200
    assert (means == 1).all()


def test_interval_width_matches_the_spread_of_fresh_test_sets():
    """The reference is the spread of new test sets from the same distribution."""
    rng = np.random.default_rng(0)

    def sample(videos=60):
        truth = [(v, 0, 0, 5, 1.0) for v in range(videos)]
        detections = [
            (v, 0, 0 if rng.random() < 0.6 else 8, 5 if rng.random() < 2 else 9, rng.random()) for v in range(videos)
        ]
        return make_segments(truth), make_segments([(v, c, a, max(a + 1, b), s) for v, c, a, b, s in detections])

    fresh = [compute_average_precision(match(*sample(), (0.5,)), 1)[0, 0] for _ in range(200)]
    matches = match(*sample(), (0.5,))
    low, high = compute_bootstrap_interval(
        compute_average_precision(matches, 1)[0, 0], bootstrap_map(matches, 1, 500, 60)[:, 0]
    )
    width = np.quantile(fresh, 0.975) - np.quantile(fresh, 0.025)
    assert high - low == pytest.approx(width, rel=0.35)


def test_biased_draws_do_not_shift_the_interval():
    draws = np.random.default_rng(0).normal(0.6, 0.1, 20_000)
    np.testing.assert_allclose(compute_bootstrap_interval(0.4, draws), (0.4 - 0.196, 0.4 + 0.196), atol=0.005)
    assert compute_bootstrap_interval(1.0, np.ones(3)) == (1.0, 1.0)


def test_a_common_part_cancels_in_the_difference():
    rng = np.random.default_rng(0)
    common = rng.normal(0.5, 0.1, 500)
    comparison = compare_scores(0.55, 0.5, common + 0.05, common)
    assert comparison.difference == pytest.approx(0.05)
    assert comparison.is_significant
    assert comparison.share_ahead == 1.0
    uncertain = compare_scores(0.55, 0.5, rng.normal(0.55, 0.1, 500), common)
    assert not uncertain.is_significant
    assert 0.5 < uncertain.share_ahead < 0.9


def test_a_difference_in_few_draws_is_not_significant():
    """A difference of one detection changes few draws; ties are no wins."""
    draws = np.full(1000, 0.4)
    fewer = draws - 0.001 * (np.arange(1000) % 3 == 0)
    comparison = compare_scores(0.4, 0.3996, draws, fewer)
    assert not comparison.is_significant
    assert comparison.share_ahead == pytest.approx(1 / 3, abs=0.01)
