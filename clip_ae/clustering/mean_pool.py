"""Descriptor of round 0: the plain mean of all snippets with coverage.

The weights give the sum; a stream's part of the descriptor is then normalised to unit length.
"""

from clip_ae.core.types import FeaturesByStream, SnippetWeights


def prepare_pooling(streams: FeaturesByStream) -> tuple[FeaturesByStream, SnippetWeights]:
    """The streams to pool, and the weight of each snippet: 1 with coverage, otherwise 0."""
    return streams, {
        name: {i: (video.coverage > 0).astype(float) for i, video in videos.items()} for name, videos in streams.items()
    }
