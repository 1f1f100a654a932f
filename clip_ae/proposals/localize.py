"""One video's detections, from its attention, its class activations and its class scores."""

from collections.abc import Iterator, Sequence

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
    """Classes whose video score exceeds the threshold; the best one always."""
    return np.union1d(np.flatnonzero(scores > threshold), np.argmax(scores))


def _levels(attention: Floats, settings: Localization) -> tuple[float, ...]:
    """None where attention is the same everywhere: it has no segments, and would always offer the whole video."""
    real = attention[attention > 0]
    return () if not len(real) or is_flat(real.mean(), real.std()) else settings.attention_thresholds


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
) -> Iterator[Detection]:
    """attention [T], activation [T, C], scores [C]; the video ends at `end` seconds.

    Segments are cut from the weighted activation a_t p_t,c and, the same for every class, from attention alone; the
    weighted activation scores them all.
    """
    attended = find_ranges_above(upsample(attention, settings.upsampling), _levels(attention, settings))
    for c in select_classes(scores, settings.class_threshold):
        curve = upsample(attention * activation[:, c], settings.upsampling)
        shares = find_ranges_above(curve, [share * curve.max() for share in settings.activation_thresholds])
        runs = np.unique(np.concatenate([attended, shares]), axis=0)
        segments = ranges_to_seconds(runs, settings.upsampling, duration, grid)
        confidence = outer_inner_contrast(curve, runs, settings.outer_margin) + settings.video_score_weight * scores[c]
        order, decayed = soft_nms(segments, confidence, settings.soft_nms_sigma, settings.min_score)
        for (start, stop), score in zip(segments[order].tolist(), decayed.tolist(), strict=True):
            yield Detection(video_id, labels[c], score, start, stop)
