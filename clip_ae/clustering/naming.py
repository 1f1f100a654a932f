"""Rank words for each cluster: CLIP similarity to (mean attended snippet - mean snippet)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.types import VideoCurves, VideoFeatures

Floats = NDArray[np.float64]


def compute_cluster_features(clip: Mapping[str, VideoFeatures], curves: Mapping[str, VideoCurves]) -> dict[str, Floats]:
    """The image feature of each label: mean CLIP feature of its attended snippets minus the mean of all snippets.

    Each video counts for one label, the one with the most weight, and each video counts equally in the label's mean.
    The subtracted mean is over all covered snippets, so long videos count more. Words that fit any image of the
    dataset, mainly its background, do not describe a cluster: the difference removes them.
    """
    means_by_label: dict[str, list[Floats]] = {}
    for video_id, video_curves in curves.items():
        video = clip[video_id]
        label, weights = _main_label(video, video_curves)
        if weights.sum() > 0:
            mean = weights @ video.feature.astype(np.float64) / weights.sum()
            means_by_label.setdefault(label, []).append(mean)
    if not means_by_label:
        return {}
    average = _average_feature(clip[i] for i in curves)
    return {label: np.mean(means, axis=0) - average for label, means in sorted(means_by_label.items())}


def _main_label(video: VideoFeatures, curves: VideoCurves) -> tuple[str, Floats]:
    """The label with the largest sum of weights, and its weights.

    A weight is attention times activation, and 0 where a snippet has no coverage.
    """
    coverage_mask = video.coverage > 0
    attention = np.asarray(curves.attention)
    weights = {
        label: coverage_mask * (attention * np.asarray(activation)) for label, activation in curves.activation.items()
    }
    label = max(weights, key=lambda name: (weights[name].sum(), name))
    return label, weights[label]


def rank_names(
    image_feature: Floats, text_embeddings: NDArray[np.float32], names: Sequence[str], logit_scale: float
) -> list[tuple[str, float]]:
    """(name, probability), best first: softmax over the vocabulary of the scaled CLIP similarities."""
    logits = logit_scale * (text_embeddings @ image_feature)
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    return [(names[k], float(probabilities[k])) for k in np.argsort(-probabilities, kind="stable")]


def _average_feature(videos: Iterable[VideoFeatures]) -> Floats:
    features = [video.feature[video.coverage > 0].astype(np.float64) for video in videos]
    average: Floats = np.concatenate(features).mean(axis=0)
    return average
