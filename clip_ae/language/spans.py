"""What is pasted: actions, as an earlier run sees them or as they are annotated, and stretches of background."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.types import Instance, VideoFeatures

# Share of the curve's maximum at which a run sees an action, and of the snippets that are the least attended.
ACTION_THRESHOLD, BACKGROUND_QUANTILE = 0.5, 0.3
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Span:
    """Snippets `first` to before `end` of a video; kind 0 is background, the others are actions."""

    video_id: str
    first: int
    end: int
    class_id: int = 0


def find_actions(video_id: str, curve: Floats, class_id: int) -> Iterator[Span]:
    """Where the curve of a class, attention times activation, is high."""
    if curve.max(initial=0.0) > 0:
        yield from (
            Span(video_id, first, end, class_id) for first, end in _runs(curve >= ACTION_THRESHOLD * curve.max())
        )


def find_background(video_id: str, attention: Floats, coverage_mask: NDArray[np.bool_]) -> Iterator[Span]:
    """Where there is material and attention is among the lowest."""
    if coverage_mask.any():
        low = attention <= np.quantile(attention[coverage_mask], BACKGROUND_QUANTILE)
        yield from (Span(video_id, first, end) for first, end in _runs(coverage_mask & low))


def instances_to_spans(
    video: VideoFeatures, instances: Iterable[Instance], class_ids: Mapping[str, int]
) -> Iterator[Span]:
    """Instances on the snippet grid: every snippet whose middle lies within, one at least."""
    middles = (video.start + video.stop) / 2
    for instance in instances:
        inside = np.flatnonzero((middles >= instance.start) & (middles < instance.stop))
        if not len(inside):
            inside = np.array([np.abs(middles - (instance.start + instance.stop) / 2).argmin()])
        yield Span(video.video_id, int(inside[0]), int(inside[-1]) + 1, class_ids[instance.label])


def compute_span_means(spans: Sequence[Span], videos: Mapping[str, VideoFeatures]) -> NDArray[np.float32]:
    """[spans, D]: each span's mean feature, of length 1."""
    means = [videos[s.video_id].feature[s.first : s.end].astype(np.float64).mean(axis=0) for s in spans]
    return normalize_rows(np.stack(means))


def normalize_rows(vectors: Floats) -> NDArray[np.float32]:
    """Rows of length 1; a row of nothing stays 0."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1.0)).astype(np.float32)


def _runs(inside: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.diff(inside.astype(np.int8), prepend=0, append=0)
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))
