"""Scored segments of one video from its prediction."""

from collections.abc import Sequence

import numpy as np

from clip_ae.core.config.training import Localization
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection
from clip_ae.localizers.inference import VideoPrediction
from clip_ae.proposals.curve_choice import CurveChoice
from clip_ae.proposals.localize import localize
from clip_ae.proposals.moving_mean import moving_mean
from clip_ae.proposals.whole_video import propose_whole_video


def detect(
    video_id: str,
    duration: float,
    prediction: VideoPrediction,
    labels: Sequence[str],
    settings: Localization,
    choice: CurveChoice,
    grid: SnippetGrid,
) -> list[Detection]:
    """The scored segments of one video of `duration` seconds; `labels` are the names of the prediction's classes."""
    if settings.segments == "whole_video":
        return propose_whole_video(
            video_id, prediction.scores, labels=labels, class_threshold=settings.class_threshold, duration=duration
        )
    # With constant attention, the weighted activation is the activation.
    is_weighted = choice.curve == "weighted"
    attention = prediction.attention if is_weighted else np.ones_like(prediction.attention)
    width = choice.smoothing_s / grid.stride_s
    return localize(
        video_id,
        moving_mean(attention, width),
        moving_mean(prediction.activation, width),
        prediction.scores,
        labels=labels,
        settings=settings,
        grid=grid,
        duration=duration,
    )
