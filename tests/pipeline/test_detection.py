"""The choice of what segments are cut from: whole videos, one of two curves, smoothed curves."""

from dataclasses import replace

import numpy as np
import pytest

from clip_ae.core.config.dataclass_config import apply_overrides
from clip_ae.core.config.training import CurveName, Localization, LocalizationOverrides
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, VideoFeatures
from clip_ae.localizers.inference import VideoPrediction
from clip_ae.pipeline.detection import detect
from clip_ae.proposals.curve_choice import CurveChoice

GRID = SnippetGrid()
SETTINGS = Localization()
WEIGHTED, ACTIVATION = CurveChoice("weighted", 0.0), CurveChoice("activation", 0.0)


def detect_in_flat_video(settings: Localization) -> list[Detection]:
    """Ten snippets, the last one half covered; attention is the same everywhere."""
    start = np.arange(10) * GRID.stride_s
    coverage = np.ones(10, np.float32)
    coverage[-1] = 0.5
    video = VideoFeatures("v", start, start + GRID.snippet_s, coverage, np.zeros((10, 2), np.float16))
    prediction = VideoPrediction(
        attention=np.full(10, 0.5), activation=np.full((10, 2), 0.5), scores=np.array([0.7, 0.1])
    )
    return detect("v", video.covered_end, prediction, ("a", "b"), settings, WEIGHTED, GRID)


def test_a_whole_video_ends_where_its_features_end() -> None:
    (detection,) = detect_in_flat_video(replace(SETTINGS, segments="whole_video"))
    assert detection == Detection("v", "a", 0.7, 0.0, 9.5 * GRID.stride_s)


def test_a_run_overrides_the_segments_of_its_dataset() -> None:
    settings = apply_overrides(SETTINGS, LocalizationOverrides(segments="whole_video"))
    assert len(detect_in_flat_video(settings)) == 1
    assert settings == replace(SETTINGS, segments="whole_video")


def detect_best(prediction: VideoPrediction, choice: CurveChoice) -> Detection:
    start = np.arange(len(prediction.attention)) * GRID.stride_s
    covered = np.ones(len(start), np.float32)
    video = VideoFeatures("v", start, start + GRID.snippet_s, covered, np.zeros((len(start), 2), np.float16))
    settings = Localization(attention_thresholds=(), activation_thresholds=(0.5,))
    return max(detect("v", video.covered_end, prediction, ("a",), settings, choice, GRID), key=lambda d: d.score)


def seconds(first: int, last: int) -> tuple[float, float]:
    """From the start of a snippet to the end of another one."""
    return GRID.start(first), GRID.stop(last)


def test_a_peak_of_attention_cuts_the_weighted_curve_but_not_the_activation() -> None:
    activation = np.full((20, 1), 0.1)
    activation[5:13] = 0.9
    attention = np.full(20, 0.01)
    attention[7] = 1.0
    prediction = VideoPrediction(attention, activation, np.array([0.9]))
    weighted, by_activation = detect_best(prediction, WEIGHTED), detect_best(prediction, ACTIVATION)
    assert (weighted.start, weighted.stop) == pytest.approx(seconds(7, 7), abs=0.1)
    assert (by_activation.start, by_activation.stop) == pytest.approx(seconds(5, 12), abs=0.1)


@pytest.mark.parametrize("curve", ["weighted", "activation"])
def test_smoothing_closes_a_gap_of_one_snippet(curve: CurveName) -> None:
    activation = np.full((20, 1), 0.1)
    activation[5:13] = 0.9
    activation[9] = 0.1
    prediction = VideoPrediction(np.full(20, 0.8), activation, np.array([0.9]))
    plain = detect_best(prediction, CurveChoice(curve, 0.0))
    smooth = detect_best(prediction, CurveChoice(curve, 3 * GRID.stride_s))
    assert plain.stop - plain.start < 5 * GRID.stride_s
    assert (smooth.start, smooth.stop) == pytest.approx(seconds(5, 12), abs=0.4)


@pytest.mark.parametrize("choice", [WEIGHTED, ACTIVATION, CurveChoice("activation", 1e6)])
def test_curves_without_variation_give_one_whole_video(choice: CurveChoice) -> None:
    """Constant curves, also those that a window longer than the video makes; there is no contrast to score."""
    prediction = VideoPrediction(np.full(10, 0.5), np.full((10, 1), 0.4), np.array([0.6]))
    best = detect_best(prediction, choice)
    assert (best.start, best.stop) == seconds(0, 9)
    assert best.score == pytest.approx(SETTINGS.video_score_weight * 0.6)


@pytest.mark.parametrize("choice", [WEIGHTED, ACTIVATION, CurveChoice("weighted", 5.0)])
def test_curves_of_zeros_have_no_detections(choice: CurveChoice) -> None:
    """Features of zeros, or a video in which a model finds nothing."""
    start = np.arange(10) * GRID.stride_s
    video = VideoFeatures("v", start, start + GRID.snippet_s, np.ones(10, np.float32), np.zeros((10, 2), np.float16))
    prediction = VideoPrediction(np.zeros(10), np.zeros((10, 2)), np.zeros(2))
    assert detect("v", video.covered_end, prediction, ("a", "b"), SETTINGS, choice, GRID) == []
