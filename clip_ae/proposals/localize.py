"""Detections of one video from its attention, its class activations and its video scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.training import Localization
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection
from clip_ae.proposals.flat_attention import is_flat
from clip_ae.proposals.outer_inner_contrast import outer_inner_contrast
from clip_ae.proposals.segments import Floats, find_ranges_above, ranges_to_seconds, upsample
from clip_ae.proposals.soft_nms import soft_nms


def select_classes(scores: Floats, threshold: float) -> NDArray[np.int64]:
    """The classes whose video score exceeds the threshold, and always the best class."""
    return np.union1d(np.flatnonzero(scores > threshold), np.argmax(scores))


def _attention_levels(attention: Floats, settings: Localization) -> tuple[float, ...]:
    """The thresholds on attention; none if it is flat, because flat attention would propose the whole video."""
    positive = attention[attention > 0]
    is_unusable = not len(positive) or is_flat(positive.mean(), positive.std())
    return () if is_unusable else settings.attention_thresholds


def localize(
    video_id: str,
    attention: Floats,
    activation: Floats,
    scores: Floats,
    *,
    labels: Sequence[str],
    settings: Localization,
    grid: SnippetGrid,
    duration: float,
) -> list[Detection]:
    """The scored segments of a video: attention [T], activation [T, C], scores [C], duration in seconds.

    Segments are cut from the weighted activation a_t p_t,c of each class, and from attention alone, which gives the
    same segments for all classes. The weighted activation scores all of them.
    """
    levels = _attention_levels(attention, settings)
    attention_ranges = find_ranges_above(upsample(attention, settings.upsampling), levels)
    detections = []
    for c in select_classes(scores, settings.class_threshold):
        curve = upsample(attention * activation[:, c], settings.upsampling)
        class_ranges = find_ranges_above(curve, [share * curve.max() for share in settings.activation_thresholds])
        ranges = np.unique(np.concatenate([attention_ranges, class_ranges]), axis=0)
        segments = ranges_to_seconds(ranges, settings.upsampling, duration, grid)
        contrast = outer_inner_contrast(curve, ranges, settings.outer_margin)
        confidence = contrast + settings.video_score_weight * scores[c]
        order, decayed = soft_nms(segments, confidence, settings.soft_nms_sigma, settings.min_score)
        detections += [
            Detection(video_id, labels[c], score, start, stop)
            for (start, stop), score in zip(segments[order].tolist(), decayed.tolist(), strict=True)
        ]
    return detections
