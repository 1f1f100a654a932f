"""Means and factors that bring the features of a stream to a common scale, from the training videos."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.training import InputScaling
from clip_ae.core.types import FeaturesByStream, VideoFeatures

Floats = NDArray[np.float64]


def compute_input_scaling(streams: FeaturesByStream, scaling: InputScaling) -> dict[str, Any]:
    """`input_means` and `input_factors` of the localizer's config."""
    if scaling == "raw":
        return {}
    covered = {name: list(_covered_features(videos.values())) for name, videos in streams.items()}
    if scaling == "scaled":
        return {"input_factors": {name: (_inverse_rms(features),) for name, features in covered.items()}}
    statistics = {name: _standardization(features) for name, features in covered.items()}
    return {
        "input_means": {name: tuple(mean.tolist()) for name, (mean, _) in statistics.items()},
        "input_factors": {name: tuple(factor.tolist()) for name, (_, factor) in statistics.items()},
    }


def _covered_features(videos: Iterable[VideoFeatures]) -> Iterable[NDArray[np.float16]]:
    for video in videos:
        yield video.feature[video.coverage > 0]


def _inverse_rms(features: Iterable[NDArray[np.float16]]) -> float:
    """1 / rms of all values; 1 if they are all 0."""
    total, count = 0.0, 0
    for rows in features:
        total, count = total + float(np.square(rows, dtype=np.float64).sum()), count + rows.size
    return float((total / count) ** -0.5) if total > 0 else 1.0


def _standardization(features: list[NDArray[np.float16]]) -> tuple[Floats, Floats]:
    """Mean and 1 / sd of each dimension; a dimension that never changes has the factor 1."""
    count = max(1, sum(len(rows) for rows in features))
    mean: Floats = sum((rows.sum(axis=0, dtype=np.float64) for rows in features), np.zeros(1)) / count
    variance: Floats = sum((np.square(rows - mean).sum(axis=0) for rows in features), np.zeros(1)) / count
    is_constant = variance <= 0
    return mean, 1 / np.sqrt(np.where(is_constant, 1.0, variance))
