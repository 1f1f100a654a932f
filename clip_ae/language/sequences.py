"""Sequences with known borders for adapter training: actions pasted between background, each from any video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.config.feature_adapters import AdapterTraining
from clip_ae.language.spans import Span
from clip_ae.localizers.feature_table import FeatureTable

Rng = np.random.Generator
# Snippets of background between two actions: from the first number to before the second.
GAP_RANGE = (1, 8)


@dataclass(frozen=True)
class SequenceClip:
    """One clip of a sequence: rows `first` to before `end` of the feature table.

    class_id is 0 for background. text_row is a row of the target embeddings, -1 for background.
    """

    first: int
    end: int
    class_id: int
    text_row: int = -1

    @property
    def length(self) -> int:
        return self.end - self.first


@dataclass(frozen=True)
class SequenceBatch:
    """B sequences with N clips in total.

    features [B, T, D] by stream; clip_weights [N, B T], whose product with the rows is each clip's mean; class_ids and
    text_rows [N].
    """

    features: Mapping[str, Tensor]
    clip_weights: Tensor
    class_ids: Tensor
    text_rows: Tensor


def row_range(table: FeatureTable, span: Span) -> tuple[int, int]:
    """The table rows of a span: the first, and the one after the last."""
    offset = table.first_row[span.video_id]
    return offset + span.first, offset + span.end


def build_sequence_batch(table: FeatureTable, sequences: Sequence[Sequence[SequenceClip]]) -> SequenceBatch:
    """The sequences as tensors on the table's device, padded to the longest."""
    clips = [clip for sequence in sequences for clip in sequence]
    longest = max(sum(clip.length for clip in sequence) for sequence in sequences)
    table_rows = np.full((len(sequences), longest), table.padding_row)
    weights = np.zeros((len(clips), len(sequences), longest), np.float32)
    clip_index = 0
    for b, sequence in enumerate(sequences):
        position = 0
        for clip in sequence:
            inside = slice(position, position + clip.length)
            table_rows[b, inside] = np.arange(clip.first, clip.end)
            weights[clip_index, b, inside] = 1 / clip.length
            position, clip_index = inside.stop, clip_index + 1
    return SequenceBatch(
        table.get_features(table_rows),
        torch.from_numpy(weights.reshape(len(weights), -1)).to(table.device),
        torch.tensor([clip.class_id for clip in clips], device=table.device),
        torch.tensor([clip.text_row for clip in clips], device=table.device),
    )


class SequenceSampler:
    """Draws random sequences: all action classes equally often, background in proportion to its length."""

    def __init__(
        self, table: FeatureTable, actions: Sequence[Span], background: Sequence[Span], settings: AdapterTraining
    ) -> None:
        self.table, self.actions, self.background, self.settings = table, actions, background, settings
        lengths = np.array([span.end - span.first for span in background], float)
        self.background_probabilities = lengths / lengths.sum()

    @cached_property
    def actions_by_class(self) -> list[NDArray[np.int64]]:
        """For each class, the indices of its actions."""
        class_ids = np.array([span.class_id for span in self.actions])
        return [np.flatnonzero(class_ids == class_id) for class_id in np.unique(class_ids)]

    def sample_batch(self, rng: Rng) -> SequenceBatch:
        return build_sequence_batch(self.table, [self._sequence(rng) for _ in range(self.settings.batch_size)])

    def _sequence(self, rng: Rng) -> list[SequenceClip]:
        clips = [self._gap(rng)]
        for _ in range(self.settings.actions_per_sequence):
            clips += [self._action(rng), self._gap(rng)]
        return clips

    def _action(self, rng: Rng) -> SequenceClip:
        indices = self.actions_by_class[rng.integers(len(self.actions_by_class))]
        index = int(indices[rng.integers(len(indices))])
        action = self.actions[index]
        return SequenceClip(*self._cut(action, self.settings.max_action_snippets, rng), action.class_id, index)

    def _gap(self, rng: Rng) -> SequenceClip:
        span = self.background[rng.choice(len(self.background), p=self.background_probabilities)]
        return SequenceClip(*self._cut(span, int(rng.integers(*GAP_RANGE)), rng), span.class_id)

    def _cut(self, span: Span, max_length: int, rng: Rng) -> tuple[int, int]:
        """The table rows of a random part of the span, at most `max_length` long."""
        first, end = row_range(self.table, span)
        length = min(max_length, end - first)
        first += int(rng.integers(end - first - length + 1))
        return first, first + length
