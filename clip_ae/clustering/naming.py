"""What clusters look like, in the space of CLIP's images: their attended snippets against an average one."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.types import Attended, VideoFeatures

Floats = NDArray[np.float64]


def looks(clip: Mapping[str, VideoFeatures], curves: Mapping[str, Attended]) -> dict[str, Floats]:
    """Of each label: mean CLIP feature of the snippets where it is attended, less that of all snippets.

    Words that fit any picture of the dataset, its background above all, say nothing of a cluster.
    """
    sums: dict[str, Floats] = {}
    weights: dict[str, float] = {}
    for video_id, seen in curves.items():
        features = clip[video_id].feature.astype(np.float64)
        for label, activation in seen.activation.items():
            w = np.asarray(seen.attention) * np.asarray(activation)
            sums[label] = sums.get(label, np.zeros(features.shape[1])) + w @ features
            weights[label] = weights.get(label, 0.0) + float(w.sum())
    average = _average(clip[i] for i in curves)
    return {label: sums[label] / weights[label] - average for label in sorted(sums) if weights[label] > 0}


def ranked(look: Floats, words: NDArray[np.float32], names: Sequence[str], scale: float) -> list[tuple[str, float]]:
    """Names by falling probability: softmax over the vocabulary of CLIP's scaled similarities."""
    logits = scale * (words @ look)
    p = np.exp(logits - logits.max())
    p /= p.sum()
    return [(names[k], float(p[k])) for k in np.argsort(-p, kind="stable")]


def _average(videos: Iterable[VideoFeatures]) -> Floats:
    seen = [video.feature[video.coverage > 0].astype(np.float64) for video in videos]
    average: Floats = np.concatenate(seen).mean(axis=0)
    return average
