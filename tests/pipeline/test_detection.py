"""The choice between segments from curves and whole videos as segments."""

from dataclasses import replace

import numpy as np

from clip_ae.core.config.dataclass_config import apply_overrides
from clip_ae.core.config.training import Localization, LocalizationOverrides
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, VideoFeatures
from clip_ae.localizers.inference import VideoPrediction
from clip_ae.pipeline.detection import detect

GRID = SnippetGrid()
SETTINGS = Localization()


def detect_in_flat_video(settings: Localization) -> list[Detection]:
    """Ten snippets, the last one half covered; attention is the same everywhere."""
    start = np.arange(10) * GRID.stride_s
    coverage = np.ones(10, np.float32)
    coverage[-1] = 0.5
    video = VideoFeatures("v", start, start + GRID.snippet_s, coverage, np.zeros((10, 2), np.float16))
    prediction = VideoPrediction(
        attention=np.full(10, 0.5), activation=np.full((10, 2), 0.5), scores=np.array([0.7, 0.1])
    )
    return detect(video, prediction, ("a", "b"), settings, GRID)


def test_a_whole_video_ends_where_its_features_end() -> None:
    (detection,) = detect_in_flat_video(replace(SETTINGS, segments="whole_video"))
    assert detection == Detection("v", "a", 0.7, 0.0, 9.5 * GRID.stride_s)


def test_a_run_overrides_the_segments_of_its_dataset() -> None:
    settings = apply_overrides(SETTINGS, LocalizationOverrides(segments="whole_video"))
    assert len(detect_in_flat_video(settings)) == 1
    assert settings == replace(SETTINGS, segments="whole_video")
