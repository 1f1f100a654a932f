"""Descriptor of round 0: the plain mean of all snippets with coverage."""

from clip_ae.clustering.pooling import SnippetWeights
from clip_ae.core.types import FeaturesByStream


def prepare_pooling(streams: FeaturesByStream) -> tuple[FeaturesByStream, SnippetWeights]:
    """The streams to pool, and the weight of each snippet: 1 with coverage, otherwise 0."""
    return streams, {
        name: {i: (video.coverage > 0).astype(float) for i, video in videos.items()} for name, videos in streams.items()
    }
