"""What clusters look like, in the space of CLIP's images: their attended snippets against an average one."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.types import VideoCurves, VideoFeatures

Floats = NDArray[np.float64]


def compute_cluster_features(clip: Mapping[str, VideoFeatures], curves: Mapping[str, VideoCurves]) -> dict[str, Floats]:
    """Of each label: mean CLIP feature of the snippets where it is attended, less that of all snippets.

    A video speaks for the label that it is most of, and all videos as loudly. Words that fit any picture of the
    dataset, its background above all, say nothing of a cluster, hence the difference.
    """
    seen: dict[str, list[Floats]] = {}
    for video_id, attended in curves.items():
        covered = clip[video_id].coverage > 0
        weights = {label: covered * _weights(attended, label) for label in attended.activation}
        label = max(weights, key=lambda name: (weights[name].sum(), name))
        if weights[label].sum() > 0:
            features = clip[video_id].feature.astype(np.float64)
            seen.setdefault(label, []).append(weights[label] @ features / weights[label].sum())
    if not seen:
        return {}
    average = _average(clip[i] for i in curves)
    return {label: np.mean(means, axis=0) - average for label, means in sorted(seen.items())}


def _weights(attended: VideoCurves, label: str) -> Floats:
    weights: Floats = np.asarray(attended.attention) * np.asarray(attended.activation[label])
    return weights


def rank_names(
    image_feature: Floats, text_embeddings: NDArray[np.float32], names: Sequence[str], scale: float
) -> list[tuple[str, float]]:
    """Names by falling probability: softmax over the vocabulary of CLIP's scaled similarities."""
    logits = scale * (text_embeddings @ image_feature)
    p = np.exp(logits - logits.max())
    p /= p.sum()
    return [(names[k], float(p[k])) for k in np.argsort(-p, kind="stable")]


def _average(videos: Iterable[VideoFeatures]) -> Floats:
    seen = [video.feature[video.coverage > 0].astype(np.float64) for video in videos]
    average: Floats = np.concatenate(seen).mean(axis=0)
    return average
