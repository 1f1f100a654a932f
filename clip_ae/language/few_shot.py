"""Classes from few examples: a class is the mean of its examples, and a snippet is shared among classes and background.

Background is what was learned of it, if anything was, and the mean of snippets that are no example.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.types import FeaturesByStream
from clip_ae.language.embedding_space import EmbeddingSpace, SnippetEmbeddings
from clip_ae.language.spans import Span
from clip_ae.localizers.inference import VideoPrediction

# Snippets by video.
SnippetMasks = Mapping[str, NDArray[np.bool_]]


def compute_coverage_masks(streams: FeaturesByStream) -> SnippetMasks:
    """The snippets that every stream has."""
    first = next(iter(streams.values()))
    return {i: np.logical_and.reduce([videos[i].coverage > 0 for videos in streams.values()]) for i in first}


def has_decoded_snippet(span: Span, coverage_masks: SnippetMasks) -> bool:
    """Whether anything of an example could be read."""
    return bool(coverage_masks[span.video_id][span.first : span.end].any())


def mask_outside_examples(support_examples: Iterable[Span], coverage_masks: SnippetMasks) -> SnippetMasks:
    """The snippets of the examples' videos that lie in no example."""
    found = {span.video_id: coverage_masks[span.video_id].copy() for span in support_examples}
    for span in support_examples:
        found[span.video_id][span.first : span.end] = False
    return found


@torch.inference_mode()
def build_prototypes(
    space: EmbeddingSpace,
    embeddings: Mapping[str, SnippetEmbeddings],
    support_examples: Sequence[Span],
    coverage_masks: SnippetMasks,
    background_masks: SnippetMasks,
) -> dict[str, Tensor]:
    """By view [1 + N, width], of length 1: background's point, then those of the examples' kinds 1 to N."""
    kinds = range(1, 1 + max(span.class_id for span in support_examples))
    inside = [(span.class_id, span.video_id, _inside(span, coverage_masks)) for span in support_examples]
    found = {}
    for view in space.scales:
        means = [(kind, _mean(embeddings[i][view][rows])) for kind, i, rows in inside]
        nothing = torch.cat([embeddings[i][view][_index(rows)] for i, rows in background_masks.items()])
        classes = [_mean(torch.stack([mean for kind, mean in means if kind == k])) for k in kinds]
        found[view] = torch.stack([_background(nothing, space.background_embeddings.get(view)), *classes])
    return found


@torch.inference_mode()
def predict_from_prototypes(
    space: EmbeddingSpace,
    embeddings: SnippetEmbeddings,
    prototypes: Mapping[str, Tensor],
    coverage_mask: NDArray[np.bool_],
) -> VideoPrediction:
    """Attention is all but background's share, activation each class's share of it, a score its mean over the video."""
    nearness = torch.stack(
        [space.scales[view] * embeddings[view] @ around.T for view, around in prototypes.items()]
    ).mean(dim=0)
    share = nearness.softmax(dim=-1).cpu().numpy().astype(np.float64)[:, 1:] * coverage_mask[:, None]
    attention = share.sum(axis=1)
    activation = share / np.where(attention > 0, attention, 1.0)[:, None]
    return VideoPrediction(attention, activation, share.sum(axis=0) / (attention.sum() or 1.0))


def _background(rows: Tensor, learned: Tensor | None) -> Tensor:
    """Where neither is there, all is equally far."""
    mean = _mean(rows) if len(rows) else rows.new_zeros(rows.shape[1])
    return mean if learned is None else F.normalize(learned + mean, dim=0)


def _inside(span: Span, covered: SnippetMasks) -> Tensor:
    return span.first + _index(covered[span.video_id][span.first : span.end])


def _index(rows: NDArray[np.bool_]) -> Tensor:
    return torch.from_numpy(np.flatnonzero(rows))


def _mean(rows: Tensor) -> Tensor:
    return F.normalize(rows.mean(dim=0), dim=0)
