"""Descriptors of videos: weighted sums of snippets, normalised to unit length by stream, concatenated over streams."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.types import FeaturesByStream

Floats = NDArray[np.float64]
# Weights of snippets, by stream and video id. Descriptors differ in these weights only.
SnippetWeights = Mapping[str, Mapping[str, Floats]]


def pool_descriptors(streams: FeaturesByStream, weights: SnippetWeights) -> Floats:
    """z [N, sum of the streams' dimensions]; the videos are in the order of the streams."""
    return np.concatenate([_normalize_rows(_weighted_sums(streams, weights, name)) for name in streams], axis=1)


def _weighted_sums(streams: FeaturesByStream, weights: SnippetWeights, stream: str) -> Floats:
    return np.stack([weights[stream][i] @ video.feature.astype(np.float64) for i, video in streams[stream].items()])


def _normalize_rows(z: Floats) -> Floats:
    """Rows of unit length; a row of zeros, of a stream without coverage, stays 0."""
    norms: Floats = np.linalg.norm(z, axis=1, keepdims=True)
    return z / np.where(norms > 0, norms, 1.0)
