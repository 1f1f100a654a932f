"""Average recall of class-agnostic proposals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.tiou import tiou
from clip_ae.core.types import Detection
from clip_ae.scoring.proposal_recall import (
    MAX_AN,
    compute_average_recall,
    compute_recall_area,
    merge_proposals,
    summarize_proposals,
)
from clip_ae.scoring.segments import make_segments

TIOU = (0.3, 0.5, 0.7)


def segment_lists(max_size):
    row = st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 12), st.integers(1, 6), st.integers(0, 9))
    rows = st.lists(row, max_size=max_size, unique_by=lambda r: (r[0], r[2], r[3]))
    return rows.map(lambda found: [(v, label, float(a), float(a + w), s / 9) for v, label, a, w, s in found])


def loop_recall(truth, proposals, thresholds):
    """AR by a loop over the text of the definition."""
    videos = {t[0] for t in truth}
    ranked = {v: sorted((p for p in proposals if p[0] == v), key=lambda p: (-p[4], p[2], p[3])) for v in videos}
    total = sum(map(len, ranked.values()))
    recall = []
    for an in range(1, MAX_AN + 1):
        best = {v: r[: len(r) * an * len(videos) // total] if total else [] for v, r in ranked.items()}
        hits = [
            any(tiou(p[2], p[3], t[2], t[3]) >= threshold for p in best[t[0]])
            for t in truth
            for threshold in thresholds
        ]
        recall.append(np.mean(hits))
    return recall


@given(segment_lists(8).filter(bool), segment_lists(20))
def test_recall_is_that_of_a_loop_and_grows_with_the_number_of_proposals(truth, proposals):
    recall = compute_average_recall(make_segments(truth), make_segments(proposals), TIOU)
    assert recall == pytest.approx(loop_recall(truth, proposals, TIOU))
    assert (np.diff(recall) >= 0).all()
    assert 0 <= compute_recall_area(recall) <= (MAX_AN - 1) / MAX_AN


def test_recall_by_hand():
    """Two videos with 3 and 1 proposals: N = 4, V = 2, so AN 1 allows floor(3 / 2) = 1 and floor(1 / 2) = 0."""
    truth = [(0, 0, 0, 10, 1.0), (0, 1, 20, 30, 1.0), (1, 0, 0, 10, 1.0)]
    proposals = [(0, 0, 0, 10, 0.9), (0, 0, 50, 60, 0.8), (0, 0, 20, 26, 0.7), (1, 0, 0, 10, 0.1), (2, 0, 0, 9, 1.0)]
    recall = compute_average_recall(make_segments(truth), make_segments(proposals), (0.5, 0.7))
    # AN 2 allows all: 20 to 26 reaches 0.5 only.
    assert recall[:3] == pytest.approx([1 / 3, (3 + 2) / 6, 5 / 6])
    assert compute_recall_area(recall) == pytest.approx(((1 / 3 + 5 / 6) / 2 + 98 * 5 / 6) / 100)
    summary = summarize_proposals(make_segments(truth), make_segments(proposals), (0.5, 0.7))
    assert summary["AR"] == {"10": pytest.approx(5 / 6), "50": pytest.approx(5 / 6), "100": pytest.approx(5 / 6)}
    assert summary["per_video"] == 2.0


def test_one_proposal_may_recall_several_actions_and_equality_with_a_threshold_counts():
    truth = make_segments([(0, 0, 0, 10, 1.0), (0, 1, 0, 10, 1.0), (0, 0, 5, 15, 1.0)])
    proposals = make_segments([(0, 0, 0, 15, 1.0)])
    assert compute_average_recall(truth, proposals, (10 / 15,))[0] == 1.0


def test_equal_scores_are_ordered_by_time():
    truth = make_segments([(0, 0, 8, 10, 1.0)])
    proposals = [(0, 0, 8, 10, 0.5), (0, 0, 0, 2, 0.5)]
    for rows in (proposals, proposals[::-1]):
        assert compute_average_recall(truth, make_segments(rows), (0.5,))[:2].tolist() == [0.0, 1.0]


def test_without_proposals_recall_is_zero():
    truth = make_segments([(3, 0, 0, 10, 1.0)])
    assert summarize_proposals(truth, make_segments([]), TIOU) == {
        "AR": {"10": 0.0, "50": 0.0, "100": 0.0},
        "AUC": 0.0,
        "per_video": 0.0,
    }


def test_a_segment_of_several_labels_is_one_proposal_with_its_best_score():
    detections = [
        Detection("b", "x", 0.2, 1.0, 2.0),
        Detection("b", "y", 0.7, 1.0, 2.0),
        Detection("b", "z", 0.4, 1.0, 2.0),
        Detection("a", "x", 0.3, 1.0, 2.0),
        Detection("of another subset", "x", 0.3, 1.0, 2.0),
    ]
    merged = merge_proposals(detections, ["a", "b"])
    assert sorted(zip(merged.video.tolist(), merged.score.tolist(), strict=True)) == [(0, 0.3), (1, 0.7)]
    assert not merged.label.any()
    assert len(merge_proposals([], ["a"])) == 0
