"""Sequences for adapter training: known borders, background from other videos, all classes equally often."""

from collections import Counter

import numpy as np
import pytest
import torch

from clip_ae.core.config.feature_adapters import AdapterTraining
from clip_ae.core.types import VideoFeatures
from clip_ae.language.sequences import GAP_RANGE, SequenceClip, SequenceSampler, build_sequence_batch, row_range
from clip_ae.language.spans import Span
from clip_ae.localizers.feature_table import FeatureTable

SETTINGS = AdapterTraining(batch_size=4, actions_per_sequence=2, max_action_snippets=3)


def build_videos(lengths):
    """Videos v0, v1, ... whose feature, one number, identifies the snippet: 100 (v + 1) + its index."""
    videos = {}
    for v, length in enumerate(lengths):
        times = 0.64 * np.arange(length)
        feature = (100 * (v + 1) + np.arange(length)).astype(np.float16)[:, None]
        videos[f"v{v}"] = VideoFeatures(f"v{v}", times, times + 0.64, np.ones(length, np.float32), feature)
    return videos


@pytest.fixture
def table():
    return FeatureTable({"rgb": build_videos([6, 9, 4]), "flow": build_videos([6, 9, 4])}, "cpu")


def test_a_sequence_is_its_clips_in_order_and_then_zeros(table):
    first, end = row_range(table, Span("v1", 2, 5, 1))
    batch = build_sequence_batch(
        table, [[SequenceClip(0, 2, 0), SequenceClip(first, end, 1, 7)], [SequenceClip(0, 1, 0)]]
    )
    assert batch.features["rgb"][..., 0].tolist() == [[100, 101, 202, 203, 204], [100, 0, 0, 0, 0]]
    assert batch.class_ids.tolist() == [0, 1, 0]
    assert batch.text_rows.tolist() == [-1, 7, -1]
    means = batch.clip_weights @ batch.features["rgb"].flatten(0, 1)
    assert torch.allclose(means[:, 0], torch.tensor([100.5, 203.0, 100.0]))


def sample_sequences(table, actions, background, count=50):
    sampler, rng = SequenceSampler(table, actions, background, SETTINGS), np.random.default_rng(0)
    return [sampler._sequence(rng) for _ in range(count)]


def test_background_separates_actions(table):
    for clips in sample_sequences(table, [Span("v0", 0, 4, 1)], [Span("v1", 0, 9)]):
        assert [clip.class_id for clip in clips] == [0, 1, 0, 1, 0]
        assert all(GAP_RANGE[0] <= clip.length < GAP_RANGE[1] for clip in clips[::2])


def test_a_clip_is_within_its_span_and_a_long_action_is_cut(table):
    action, gap = Span("v1", 1, 9, 1), Span("v2", 1, 3)
    (action_first, action_end), gap_range = row_range(table, action), row_range(table, gap)
    first_rows = set()
    for clips in sample_sequences(table, [action], [gap]):
        for clip in clips:
            first, end = (action_first, action_end) if clip.class_id else gap_range
            assert first <= clip.first < clip.end <= end
        first_rows |= {clip.first for clip in clips if clip.class_id}
        assert all(clip.length == SETTINGS.max_action_snippets for clip in clips if clip.class_id)
    assert first_rows == set(range(action_first, action_end - SETTINGS.max_action_snippets + 1))


def test_a_rare_class_is_drawn_as_often_as_a_frequent_one(table):
    actions = [Span("v1", k, k + 1, 1) for k in range(9)] + [Span("v2", 0, 2, 2)]
    sequences = sample_sequences(table, actions, [Span("v0", 0, 6)], 400)
    counts = Counter(clip.class_id for clips in sequences for clip in clips if clip.class_id)
    assert 0.8 < counts[1] / counts[2] < 1.25


def test_long_background_is_drawn_more_often_than_short(table):
    spans = [Span("v1", 0, 8), Span("v2", 0, 1)]
    first_row = row_range(table, spans[1])[0]
    sequences = sample_sequences(table, [Span("v0", 0, 2, 1)], spans, 300)
    gaps = [clip for clips in sequences for clip in clips if not clip.class_id]
    short_share = sum(clip.first == first_row for clip in gaps) / len(gaps)
    assert 0.07 < short_share < 0.15


def test_the_text_row_of_an_action_is_its_index(table):
    actions = [Span("v0", 0, 1, 1), Span("v0", 1, 2, 2), Span("v1", 0, 1, 1)]
    text_rows = {row_range(table, span)[0]: index for index, span in enumerate(actions)}
    for clips in sample_sequences(table, actions, [Span("v2", 0, 4)]):
        assert all(clip.text_row == (text_rows[clip.first] if clip.class_id else -1) for clip in clips)
