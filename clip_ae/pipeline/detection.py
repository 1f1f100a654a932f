"""Segments of one video from its predicted curves."""

from collections.abc import Sequence

from clip_ae.core.config.training import Localization
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, VideoFeatures
from clip_ae.localizers.inference import VideoPrediction
from clip_ae.proposals.localize import localize


def detect(
    video: VideoFeatures, seen: VideoPrediction, labels: Sequence[str], settings: Localization, grid: SnippetGrid
) -> list[Detection]:
    """The segments of one video."""
    curves = seen.attention, seen.activation, seen.scores
    return localize(video.video_id, *curves, labels=labels, settings=settings, grid=grid, duration=video.covered_end)
