"""One vector a video: weighted sums of its snippets, each stream on the unit sphere, streams side by side."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.types import FeaturesByStream

Floats = NDArray[np.float64]
# A weight for every snippet, by stream and video id: all in which two descriptors differ.
SnippetWeights = Mapping[str, Mapping[str, Floats]]


def pool_descriptors(streams: FeaturesByStream, weights: SnippetWeights) -> Floats:
    """z [N, D of all streams], videos in the order of the streams."""
    return np.concatenate([_unit(_sums(streams, weights, name)) for name in streams], axis=1)


def _sums(streams: FeaturesByStream, weights: SnippetWeights, name: str) -> Floats:
    return np.stack([weights[name][i] @ video.feature.astype(np.float64) for i, video in streams[name].items()])


def _unit(z: Floats) -> Floats:
    """Rows of length 1; a stream without any material stays 0."""
    norm: Floats = np.linalg.norm(z, axis=1, keepdims=True)
    return z / np.where(norm > 0, norm, 1.0)
