"""Subsets of snippets, for features that take much memory."""

import numpy as np
import pytest

from clip_ae.core.types import VideoFeatures
from clip_ae.language.snippet_subset import collect_snippets, select_snippets, shift_spans_to_subset
from clip_ae.language.spans import Span
from clip_ae.language.training_spans import TrainingSpans, limit_snippets

ACTIONS = [Span("b", 2, 5, 1), Span("a", 0, 2, 2), Span("b", 4, 7, 2), Span("a", 6, 9, 1)]
BACKGROUND = [Span("a", 3, 5), Span("b", 9, 12)]
TRAINING_SPANS = TrainingSpans(ACTIONS, {1: "x", 2: "y"}, BACKGROUND, {})


def test_snippets_of_spans_are_distinct_and_ordered():
    assert collect_snippets([*ACTIONS, *BACKGROUND]) == {"a": [0, 1, 3, 4, 6, 7, 8], "b": [2, 3, 4, 5, 6, 9, 10, 11]}


def test_a_remapped_span_contains_the_same_snippets():
    rows = np.arange(12)
    video = VideoFeatures("v", rows / 2, rows / 2 + 1, np.ones(12, np.float32), rows[:, None].astype(np.float16))
    subset = collect_snippets([*ACTIONS, *BACKGROUND])
    videos = {i: select_snippets(video, snippets) for i, snippets in subset.items()}
    spans = [*ACTIONS, *BACKGROUND]
    for span, remapped in zip(spans, shift_spans_to_subset(spans, subset), strict=True):
        assert remapped.class_id == span.class_id
        selected = videos[span.video_id]
        assert selected.feature[remapped.first : remapped.end, 0].tolist() == list(range(span.first, span.end))
        assert selected.start[remapped.first] == span.first / 2


@pytest.mark.parametrize("max_snippets", [0, 1, 2, 5, 9, 15, 16, 100])
def test_the_selection_respects_the_limit_and_depends_on_the_seed_only(max_snippets):
    selected = limit_snippets(TRAINING_SPANS, max_snippets, seed=3)
    spans = [*selected.actions, *selected.background]
    assert sum(span.end - span.first for span in spans) <= max_snippets
    assert selected == limit_snippets(TRAINING_SPANS, max_snippets, seed=3)
    assert all(span in ACTIONS for span in selected.actions)
    assert all(span in BACKGROUND for span in selected.background)


def test_all_spans_are_selected_in_order_if_they_fit():
    assert limit_snippets(TRAINING_SPANS, 16, seed=0) == TRAINING_SPANS


def test_other_seeds_select_other_spans():
    assert len({tuple(limit_snippets(TRAINING_SPANS, 6, seed).actions) for seed in range(9)}) > 1
