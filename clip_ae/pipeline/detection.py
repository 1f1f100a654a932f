"""Scored segments of one video from its predicted curves."""

from collections.abc import Sequence

from clip_ae.core.config.training import Localization
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, VideoFeatures
from clip_ae.localizers.inference import VideoPrediction
from clip_ae.proposals.localize import localize


def detect(
    video: VideoFeatures, prediction: VideoPrediction, labels: Sequence[str], settings: Localization, grid: SnippetGrid
) -> list[Detection]:
    """The scored segments of one video; `labels` are the names of the prediction's classes."""
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
