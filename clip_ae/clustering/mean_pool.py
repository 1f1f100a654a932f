"""Descriptor of round 0: every snippet that has any material counts alike."""

from clip_ae.clustering.pooling import SnippetWeights
from clip_ae.core.types import FeaturesByStream


def prepare_pooling(streams: FeaturesByStream) -> tuple[FeaturesByStream, SnippetWeights]:
    """The streams to pool and each snippet's weight."""
    return streams, {
        name: {i: (video.coverage > 0).astype(float) for i, video in videos.items()} for name, videos in streams.items()
    }
