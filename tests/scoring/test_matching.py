"""Stable matching against the sequential loop, and pairs that overlap."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.scoring.matching import find_overlaps, get_overlap_mask, stable_match
from clip_ae.scoring.segments import make_segments

NUM_CANDIDATES, UNMATCHED = 4, 9
PREFERENCES = st.lists(st.lists(st.integers(0, NUM_CANDIDATES - 1), unique=True), max_size=6)


def match_by_loop(preferences: list[list[int]]) -> list[int]:
    """In order of their numbers, each proposer takes its first free candidate."""
    holder = [UNMATCHED] * NUM_CANDIDATES
    for proposer, candidates in enumerate(preferences):
        free = [candidate for candidate in candidates if holder[candidate] == UNMATCHED]
        if free:
            holder[free[0]] = proposer
    return holder


@given(PREFERENCES)
def test_stable_match_equals_the_sequential_loop(preferences: list[list[int]]) -> None:
    pairs = [(proposer, candidate) for proposer, candidates in enumerate(preferences) for candidate in candidates]
    proposer, candidate = np.array(pairs, np.int64).reshape(-1, 2).T
    holder = stable_match(proposer, candidate, NUM_CANDIDATES, unmatched=UNMATCHED)
    assert holder.tolist() == match_by_loop(preferences)


def test_overlaps_are_within_one_video_and_class() -> None:
    truth = make_segments([(0, 0, 0, 4, 1.0), (1, 0, 0, 4, 1.0), (0, 1, 0, 4, 1.0)])
    detections = make_segments([(0, 0, 2, 6, 0.9), (1, 1, 0, 4, 0.8), (0, 1, 4, 8, 0.7)])
    pairs = find_overlaps(truth, detections)
    assert list(zip(pairs.detection_index, pairs.ground_truth_index, pairs.tiou, strict=True)) == [(0, 0, 2 / 6)]


def test_the_overlap_mask_ignores_labels() -> None:
    segments = make_segments([(0, 0, 0, 4, 1.0)])
    detections = make_segments([(0, 1, 2, 6, 0.9), (0, 0, 4, 8, 0.8), (1, 0, 0, 4, 0.7)])
    assert get_overlap_mask(segments, detections).tolist() == [True, False, False]
