"""Factors that give the features of every stream a root mean square of 1."""

from collections.abc import Iterable

import numpy as np

from clip_ae.core.types import FeaturesByStream, VideoFeatures


def compute_input_scales(streams: FeaturesByStream) -> dict[str, float]:
    """1 / rms over the covered snippets, by stream; 1 for a stream whose features are all 0."""
    return {name: _inverse_rms(videos.values()) for name, videos in streams.items()}


def _inverse_rms(videos: Iterable[VideoFeatures]) -> float:
    covered = [video.feature[video.coverage > 0] for video in videos]
    total = sum(float(np.square(rows, dtype=np.float64).sum()) for rows in covered)
    mean_square = total / max(1, sum(rows.size for rows in covered))
    return float(mean_square**-0.5) if mean_square > 0 else 1.0
