"""Pasted sequences: known borders, backgrounds of other places, every kind as often as any other."""

from collections import Counter

import numpy as np
import pytest
import torch

from clip_ae.core.config.feature_adapters import AdapterTraining
from clip_ae.core.types import VideoFeatures
from clip_ae.language.sequences import GAP_RANGE, FeatureTable, SequenceClip, SequenceSampler
from clip_ae.language.spans import Span

HOW = AdapterTraining(batch_size=4, actions_per_sequence=2, max_action_snippets=3)


def videos(counts):
    """A snippet's only number says which it is: 100 v + its place."""
    found = {}
    for v, rows in enumerate(counts):
        times = 0.64 * np.arange(rows)
        feature = (100 * (v + 1) + np.arange(rows)).astype(np.float16)[:, None]
        found[f"v{v}"] = VideoFeatures(f"v{v}", times, times + 0.64, np.ones(rows, np.float32), feature)
    return found


@pytest.fixture
def table():
    return FeatureTable({"rgb": videos([6, 9, 4]), "flow": videos([6, 9, 4])}, "cpu")


def test_a_sequence_is_its_parts_side_by_side_and_then_zeros(table):
    first, end = table.row_range(Span("v1", 2, 5, 1))
    batch = table.sequence_batch([[SequenceClip(0, 2, 0), SequenceClip(first, end, 1, 7)], [SequenceClip(0, 1, 0)]])
    assert batch.features["rgb"][..., 0].tolist() == [[100, 101, 202, 203, 204], [100, 0, 0, 0, 0]]
    assert batch.class_ids.tolist() == [0, 1, 0]
    assert batch.text_rows.tolist() == [-1, 7, -1]
    means = batch.clip_weights @ batch.features["rgb"].flatten(0, 1)
    assert torch.allclose(means[:, 0], torch.tensor([100.5, 203.0, 100.0]))


def drawn(table, actions, background, steps=50, how=HOW):
    drawing, rng = SequenceSampler(table, actions, background, how), np.random.default_rng(0)
    return [sequence for _ in range(steps) for sequence in [drawing._sequence(rng)]]


def test_actions_are_apart_by_background(table):
    for parts in drawn(table, [Span("v0", 0, 4, 1)], [Span("v1", 0, 9)]):
        assert [part.class_id for part in parts] == [0, 1, 0, 1, 0]
        assert all(GAP_RANGE[0] <= part.end - part.first < GAP_RANGE[1] for part in parts[::2])


def test_a_part_lies_within_its_span_and_a_long_action_is_cut(table):
    long, gap = Span("v1", 1, 9, 1), Span("v2", 1, 3)
    (first, end), (low, high) = table.row_range(long), table.row_range(gap)
    firsts = set()
    for parts in drawn(table, [long], [gap]):
        for part in parts:
            a, b = (first, end) if part.class_id else (low, high)
            assert a <= part.first < part.end <= b
        firsts |= {part.first for part in parts if part.class_id}
        assert all(part.end - part.first == HOW.max_action_snippets for part in parts if part.class_id)
    assert firsts == set(range(first, end - HOW.max_action_snippets + 1))


def test_a_rare_kind_is_drawn_as_often_as_a_frequent_one(table):
    actions = [Span("v1", k, k + 1, 1) for k in range(9)] + [Span("v2", 0, 2, 2)]
    counts = Counter(
        p.class_id for parts in drawn(table, actions, [Span("v0", 0, 6)], 400) for p in parts if p.class_id
    )
    assert 0.8 < counts[1] / counts[2] < 1.25


def test_longer_background_is_drawn_more(table):
    spans = [Span("v1", 0, 8), Span("v2", 0, 1)]
    place = table.row_range(spans[1])[0]
    gaps = [p for parts in drawn(table, [Span("v0", 0, 2, 1)], spans, 300) for p in parts if not p.class_id]
    short = sum(p.first == place for p in gaps) / len(gaps)
    assert 0.07 < short < 0.15


def test_an_actions_text_is_its_own_row(table):
    actions = [Span("v0", 0, 1, 1), Span("v0", 1, 2, 2), Span("v1", 0, 1, 1)]
    places = {table.row_range(span)[0]: row for row, span in enumerate(actions)}
    for parts in drawn(table, actions, [Span("v2", 0, 4)]):
        assert all(part.text_row == (places[part.first] if part.class_id else -1) for part in parts)
