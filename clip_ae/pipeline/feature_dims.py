"""Lengths of the features of streams."""

from clip_ae.core.types import FeaturesByStream


def get_feature_dims(streams: FeaturesByStream) -> dict[str, int]:
    """The length of a feature of each stream, from its first video."""
    return {name: next(iter(videos.values())).feature.shape[1] for name, videos in streams.items()}
