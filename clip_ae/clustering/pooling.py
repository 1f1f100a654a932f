"""Descriptors of videos: weighted sums of snippets, normalised to unit length by stream, concatenated over streams.

Descriptors differ in the weights of the snippets. The `fused` descriptor also replaces the features.
"""

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.types import FeaturesByStream, SnippetWeights

Floats = NDArray[np.float64]


def pool_descriptors(streams: FeaturesByStream, weights: SnippetWeights) -> Floats:
    """Descriptors [N, sum of the streams' dimensions]; row n is the n-th video.

    All streams have the same videos in the same order.
    """
    return np.concatenate([_normalize_rows(_weighted_sums(streams, weights, name)) for name in streams], axis=1)


def _weighted_sums(streams: FeaturesByStream, weights: SnippetWeights, stream: str) -> Floats:
    return np.stack([weights[stream][i] @ video.feature.astype(np.float64) for i, video in streams[stream].items()])


def _normalize_rows(descriptors: Floats) -> Floats:
    """Rows of unit length; a row of zeros, of a stream without coverage, stays 0."""
    norms: Floats = np.linalg.norm(descriptors, axis=1, keepdims=True)
    return descriptors / np.where(norms > 0, norms, 1.0)
