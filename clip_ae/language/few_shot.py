"""Few-shot localization with prototypes: a class is the mean of its support examples.

A snippet gets probabilities of the classes and of background. The background prototype is the mean of the snippets
outside the examples, plus the learned background embedding if the space has one.
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

# Mask [T] by video id.
SnippetMasks = Mapping[str, NDArray[np.bool_]]


def compute_coverage_masks(streams: FeaturesByStream) -> SnippetMasks:
    """The snippets that all streams cover."""
    video_ids = next(iter(streams.values()))
    return {i: np.logical_and.reduce([videos[i].coverage > 0 for videos in streams.values()]) for i in video_ids}


def has_decoded_snippet(span: Span, coverage_masks: SnippetMasks) -> bool:
    """Whether at least one snippet of an example was decoded."""
    return bool(coverage_masks[span.video_id][span.first : span.end].any())


def mask_outside_examples(support_examples: Iterable[Span], coverage_masks: SnippetMasks) -> SnippetMasks:
    """The covered snippets outside all examples, for the videos that contain examples."""
    masks = {span.video_id: coverage_masks[span.video_id].copy() for span in support_examples}
    for span in support_examples:
        masks[span.video_id][span.first : span.end] = False
    return masks


@torch.inference_mode()
def build_prototypes(
    space: EmbeddingSpace,
    embeddings: Mapping[str, SnippetEmbeddings],
    support_examples: Sequence[Span],
    coverage_masks: SnippetMasks,
    background_masks: SnippetMasks,
) -> dict[str, Tensor]:
    """Prototypes by view [1 + N, width], unit length: background, then the classes 1 to N of the examples."""
    class_ids = range(1, 1 + max(span.class_id for span in support_examples))
    examples = [(span.class_id, span.video_id, _covered_indices(span, coverage_masks)) for span in support_examples]
    prototypes = {}
    for view in space.scales:
        means = [(class_id, _normalized_mean(embeddings[i][view][indices])) for class_id, i, indices in examples]
        classes = [_normalized_mean(torch.stack([m for class_id, m in means if class_id == k])) for k in class_ids]
        outside = torch.cat([embeddings[i][view][_indices(mask)] for i, mask in background_masks.items()])
        background = _background_prototype(outside, space.background_embeddings.get(view))
        prototypes[view] = torch.stack([background, *classes])
    return prototypes


@torch.inference_mode()
def predict_from_prototypes(
    space: EmbeddingSpace,
    embeddings: SnippetEmbeddings,
    prototypes: Mapping[str, Tensor],
    coverage_mask: NDArray[np.bool_],
) -> VideoPrediction:
    """Curves of one video from class probabilities, a softmax over the prototypes; logits are means over the views.

    Attention is 1 - the background probability, activation the share of each class in it, a score the mean of the
    activation over the video, weighted by attention.
    """
    logits = torch.stack(
        [space.scales[view] * embeddings[view] @ vectors.T for view, vectors in prototypes.items()]
    ).mean(dim=0)
    probabilities = logits.softmax(dim=-1).cpu().numpy().astype(np.float64)[:, 1:] * coverage_mask[:, None]
    attention = probabilities.sum(axis=1)
    activation = probabilities / np.where(attention > 0, attention, 1.0)[:, None]
    return VideoPrediction(attention, activation, probabilities.sum(axis=0) / (attention.sum() or 1.0))


def _background_prototype(embeddings: Tensor, learned: Tensor | None) -> Tensor:
    """Zeros without snippets and without a learned background: all snippets then have the same similarity to it."""
    mean = _normalized_mean(embeddings) if len(embeddings) else embeddings.new_zeros(embeddings.shape[1])
    return mean if learned is None else F.normalize(learned + mean, dim=0)


def _covered_indices(span: Span, coverage_masks: SnippetMasks) -> Tensor:
    return span.first + _indices(coverage_masks[span.video_id][span.first : span.end])


def _indices(mask: NDArray[np.bool_]) -> Tensor:
    return torch.from_numpy(np.flatnonzero(mask))


def _normalized_mean(embeddings: Tensor) -> Tensor:
    return F.normalize(embeddings.mean(dim=0), dim=0)
