"""Spans of snippets for adapter training: actions, predicted by a run or annotated, and background."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.types import Instance, VideoFeatures

# Predicted actions: snippets with at least this share of the curve's maximum.
ACTION_THRESHOLD = 0.5
# Background: this share of the snippets, those with the lowest attention.
BACKGROUND_QUANTILE = 0.3
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Span:
    """Snippets `first` to before `end` of a video; class_id 0 is background, the others are action classes."""

    video_id: str
    first: int
    end: int
    class_id: int = 0


def find_actions(video_id: str, curve: Floats, class_id: int) -> list[Span]:
    """The spans where the curve of a class, attention times activation, is at least half of its maximum."""
    maximum = curve.max(initial=0.0)
    ranges = _true_ranges(curve >= ACTION_THRESHOLD * maximum) if maximum > 0 else []
    return [Span(video_id, first, end, class_id) for first, end in ranges]


def find_background(video_id: str, attention: Floats, coverage_mask: NDArray[np.bool_]) -> list[Span]:
    """The spans with coverage and with the lowest attention of the video."""
    if not coverage_mask.any():
        return []
    low_mask = attention <= np.quantile(attention[coverage_mask], BACKGROUND_QUANTILE)
    return [Span(video_id, first, end) for first, end in _true_ranges(coverage_mask & low_mask)]


def instances_to_spans(video: VideoFeatures, instances: Iterable[Instance], class_ids: Mapping[str, int]) -> list[Span]:
    """A span for each instance: the snippets whose middle is inside it, at least the nearest one."""
    middles = (video.start + video.stop) / 2
    spans = []
    for instance in instances:
        indices = np.flatnonzero((middles >= instance.start) & (middles < instance.stop))
        if not len(indices):
            indices = np.array([np.abs(middles - (instance.start + instance.stop) / 2).argmin()])
        spans.append(Span(video.video_id, int(indices[0]), int(indices[-1]) + 1, class_ids[instance.label]))
    return spans


def compute_span_means(spans: Sequence[Span], videos: Mapping[str, VideoFeatures]) -> NDArray[np.float32]:
    """[spans, D]: the mean feature of each span, unit length."""
    means = [videos[s.video_id].feature[s.first : s.end].astype(np.float64).mean(axis=0) for s in spans]
    return normalize_rows(np.stack(means))


def normalize_rows(vectors: Floats) -> NDArray[np.float32]:
    """Rows of unit length; a row of zeros stays 0."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1.0)).astype(np.float32)


def _true_ranges(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))
