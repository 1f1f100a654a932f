"""Scored segments of one video from its prediction."""

from collections.abc import Sequence

from clip_ae.core.config.training import Localization
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, VideoFeatures
from clip_ae.localizers.inference import VideoPrediction
from clip_ae.proposals.localize import localize
from clip_ae.proposals.whole_video import propose_whole_video


def detect(
    video: VideoFeatures, prediction: VideoPrediction, labels: Sequence[str], settings: Localization, grid: SnippetGrid
) -> list[Detection]:
    """The scored segments of one video; `labels` are the names of the prediction's classes."""
    if settings.segments == "whole_video":
        return propose_whole_video(
            video.video_id,
            prediction.scores,
            labels=labels,
            class_threshold=settings.class_threshold,
            duration=video.covered_end,
        )
    return localize(
        video.video_id,
        prediction.attention,
        prediction.activation,
        prediction.scores,
        labels=labels,
        settings=settings,
        grid=grid,
        duration=video.covered_end,
    )
