"""Untrimmed sequences with known borders: actions pasted between background, each of any video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.config.feature_adapters import AdapterTraining
from clip_ae.core.types import FeaturesByStream
from clip_ae.language.spans import Span

Rng = np.random.Generator
# Snippets of background between two actions.
GAP_RANGE = (1, 8)


@dataclass(frozen=True)
class SequenceClip:
    """Rows of the table, one clip of a sequence; text is a row of the texts, -1 for background."""

    first: int
    end: int
    class_id: int
    text_row: int = -1


@dataclass(frozen=True)
class SequenceBatch:
    """features [B, T, D] a stream; clips [N, B T], a row the mean over a clip; kinds and texts [N]."""

    features: Mapping[str, Tensor]
    clip_weights: Tensor
    class_ids: Tensor
    text_rows: Tensor


class FeatureTable:
    """Features of many videos on the device, below each other; a last row of zeros is padding."""

    def __init__(self, streams: FeaturesByStream, device: str) -> None:
        videos = next(iter(streams.values()))
        ends = np.cumsum([0, *(len(video.feature) for video in videos.values())]).tolist()
        self.first_row = dict(zip(videos, ends, strict=False))
        self.padding, self.device = ends[-1], device
        self.features = {name: _rows([v.feature for v in found.values()]).to(device) for name, found in streams.items()}

    def row_range(self, span: Span) -> tuple[int, int]:
        return self.first_row[span.video_id] + span.first, self.first_row[span.video_id] + span.end

    def sequence_batch(self, sequences: Sequence[Sequence[SequenceClip]]) -> SequenceBatch:
        longest = max(sum(p.end - p.first for p in parts) for parts in sequences)
        index = np.full((len(sequences), longest), self.padding)
        clips = np.zeros((sum(map(len, sequences)), len(sequences), longest), np.float32)
        number = 0
        for row, parts in enumerate(sequences):
            at = 0
            for part in parts:
                length = part.end - part.first
                index[row, at : at + length] = np.arange(part.first, part.end)
                clips[number, row, at : at + length] = 1 / length
                at, number = at + length, number + 1
        picked = torch.from_numpy(index).to(self.device)
        every = [part for parts in sequences for part in parts]
        return SequenceBatch(
            {name: table[picked].float() for name, table in self.features.items()},
            torch.from_numpy(clips.reshape(len(clips), -1)).to(self.device),
            torch.tensor([p.class_id for p in every], device=self.device),
            torch.tensor([p.text_row for p in every], device=self.device),
        )


class SequenceSampler:
    """Sequences at random: every kind of action as often as any other, background by its length."""

    def __init__(
        self, table: FeatureTable, actions: Sequence[Span], background: Sequence[Span], settings: AdapterTraining
    ) -> None:
        self.table, self.actions, self.background, self.settings = table, actions, background, settings
        lengths = np.array([s.end - s.first for s in background], float)
        self.background_probabilities = lengths / lengths.sum()

    @cached_property
    def actions_by_class(self) -> list[NDArray[np.int64]]:
        kinds = np.array([s.class_id for s in self.actions])
        return [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]

    def sample_batch(self, rng: Rng) -> SequenceBatch:
        return self.table.sequence_batch([self._sequence(rng) for _ in range(self.settings.batch_size)])

    def _sequence(self, rng: Rng) -> list[SequenceClip]:
        parts = [self._gap(rng)]
        for _ in range(self.settings.actions_per_sequence):
            parts += [self._action(rng), self._gap(rng)]
        return parts

    def _action(self, rng: Rng) -> SequenceClip:
        mine = self.actions_by_class[rng.integers(len(self.actions_by_class))]
        number = int(mine[rng.integers(len(mine))])
        return SequenceClip(
            *self._cut(self.actions[number], self.settings.max_action_snippets, rng),
            self.actions[number].class_id,
            number,
        )

    def _gap(self, rng: Rng) -> SequenceClip:
        span = self.background[rng.choice(len(self.background), p=self.background_probabilities)]
        return SequenceClip(*self._cut(span, int(rng.integers(*GAP_RANGE)), rng), span.class_id)

    def _cut(self, span: Span, most: int, rng: Rng) -> tuple[int, int]:
        """A random part of at most so many snippets."""
        first, end = self.table.row_range(span)
        length = min(most, end - first)
        first += int(rng.integers(end - first - length + 1))
        return first, first + length


def _rows(features: Sequence[NDArray[np.float16]]) -> Tensor:
    return torch.from_numpy(np.concatenate([*features, np.zeros_like(features[0][:1])]))
