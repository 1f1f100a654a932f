"""What is kept of videos where every snippet takes much memory."""

import numpy as np
import pytest

from clip_ae.core.types import VideoFeatures
from clip_ae.language.snippet_subset import remap_spans, select_snippets, snippets_of
from clip_ae.language.spans import Span
from clip_ae.language.training_spans import TrainingSpans, limit_snippets

ACTIONS = [Span("b", 2, 5, 1), Span("a", 0, 2, 2), Span("b", 4, 7, 2), Span("a", 6, 9, 1)]
BACKGROUND = [Span("a", 3, 5), Span("b", 9, 12)]
MATERIAL = TrainingSpans(ACTIONS, {1: "x", 2: "y"}, BACKGROUND, {})


def test_snippets_that_spans_touch_are_kept_once_in_order():
    assert snippets_of([*ACTIONS, *BACKGROUND]) == {"a": [0, 1, 3, 4, 6, 7, 8], "b": [2, 3, 4, 5, 6, 9, 10, 11]}


def test_a_moved_span_shows_the_same_snippets():
    rows = np.arange(12)
    video = VideoFeatures("v", rows / 2, rows / 2 + 1, np.ones(12, np.float32), rows[:, None].astype(np.float16))
    kept = snippets_of([*ACTIONS, *BACKGROUND])
    videos = {i: select_snippets(video, snippets) for i, snippets in kept.items()}
    for span, there in zip([*ACTIONS, *BACKGROUND], remap_spans([*ACTIONS, *BACKGROUND], kept), strict=True):
        assert there.class_id == span.class_id
        seen = videos[span.video_id]
        assert seen.feature[there.first : there.end, 0].tolist() == list(range(span.first, span.end))
        assert seen.start[there.first] == span.first / 2


@pytest.mark.parametrize("snippets", [0, 1, 2, 5, 9, 15, 16, 100])
def test_no_more_is_kept_than_fits_and_the_seed_tells_what(snippets):
    found = limit_snippets(MATERIAL, snippets, seed=3)
    spans = [*found.actions, *found.background]
    assert sum(s.end - s.first for s in spans) <= snippets
    assert found == limit_snippets(MATERIAL, snippets, seed=3)
    assert all(span in ACTIONS for span in found.actions)
    assert all(span in BACKGROUND for span in found.background)


def test_all_is_kept_in_its_order_where_it_fits():
    assert limit_snippets(MATERIAL, 16, seed=0) == MATERIAL


def test_another_seed_keeps_other_spans():
    assert len({tuple(limit_snippets(MATERIAL, 6, seed).actions) for seed in range(9)}) > 1
