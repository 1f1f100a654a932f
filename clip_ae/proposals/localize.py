"""One video's detections, from its attention, its class activations and its class scores."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config import Localization
from clip_ae.core.timeline import Grid
from clip_ae.core.types import Detection, cluster_label
from clip_ae.proposals.contrast import contrast
from clip_ae.proposals.segments import Floats, runs_above, seconds, upsample
from clip_ae.proposals.soft_nms import soft_nms


def kept_classes(scores: Floats, threshold: float) -> NDArray[np.int64]:
    """Classes whose video score exceeds the threshold; the best one always."""
    return np.union1d(np.flatnonzero(scores > threshold), np.argmax(scores))


def localize(
    video_id: str,
    attention: Floats,
    activation: Floats,
    scores: Floats,
    *,
    settings: Localization,
    grid: Grid,
    end: float,
) -> Iterator[Detection]:
    """attention [T], activation [T, C], scores [C]; the video ends at `end` seconds."""
    for c in kept_classes(scores, settings.class_threshold):
        curve = upsample(attention * activation[:, c], settings.upsampling)
        runs = runs_above(curve, settings.thresholds)
        segments = seconds(runs, settings.upsampling, end, grid)
        confidence = contrast(curve, runs, settings.outer) + settings.video_score * scores[c]
        order, decayed = soft_nms(segments, confidence, settings.nms_sigma, settings.minimum_score)
        for (start, stop), score in zip(segments[order].tolist(), decayed.tolist(), strict=True):
            yield Detection(video_id, cluster_label(int(c)), score, start, stop)
