"""Descriptors of videos: weighted sums of snippets, normalised to unit length by stream, concatenated over streams.

Descriptors differ in the weights of the snippets. The `fused` descriptor also replaces the features.
"""

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.long_videos import split_rows
from clip_ae.core.types import FeaturesByStream, SnippetWeights

Floats = NDArray[np.float64]


def pool_descriptors(streams: FeaturesByStream, weights: SnippetWeights) -> Floats:
    """Descriptors [N, sum of the streams' dimensions]; row n is the n-th video.

    All streams have the same videos in the same order.
    """
    return np.concatenate([_normalize_rows(_weighted_sums(streams, weights, name)) for name in streams], axis=1)


def _weighted_sums(streams: FeaturesByStream, weights: SnippetWeights, stream: str) -> Floats:
    return np.stack([_weighted_sum(weights[stream][i], video.feature) for i, video in streams[stream].items()])


def _weighted_sum(weights: Floats, feature: NDArray[np.floating]) -> Floats:
    """weights [T] times feature [T, D]; in parts, since in float64 the features take four times their memory."""
    sums = [weights[part] @ feature[part].astype(np.float64) for part in split_rows(len(weights))]
    total: Floats = np.sum(sums, axis=0)
    return total


def _normalize_rows(descriptors: Floats) -> Floats:
    """Rows of unit length; a row of zeros, of a stream without coverage, stays 0."""
    norms: Floats = np.linalg.norm(descriptors, axis=1, keepdims=True)
    return descriptors / np.where(norms > 0, norms, 1.0)
