from dataclasses import fields, replace

import numpy as np
import pytest

from clip_ae.core.config.training import Localization
from clip_ae.core.timeline import SnippetGrid
from clip_ae.proposals.localize import localize, select_classes

GRID = SnippetGrid()
DURATION = 100.0
T, ACTION = 20, slice(5, 12)


def planted():
    """Attention, activation and scores: class 1 acts in snippets 5 to 11, class 2 has a low score."""
    attention, activation = np.full(T, 0.05), np.full((T, 3), 0.5)
    attention[ACTION] = 0.95
    activation[ACTION, 1] = 0.9
    activation[ACTION, 2] = 0.7
    activation[0, 1] = activation[14, 1] = 0.99
    return attention, activation, np.array([0.05, 0.8, 0.15])


LABELS = ("cluster-00", "cluster-01", "cluster-02")


SETTINGS = Localization(class_threshold=0.1, attention_thresholds=())


def localize_planted(settings):
    return localize("v", *planted(), labels=LABELS, settings=settings, grid=GRID, duration=DURATION)


def test_the_planted_action_comes_first():
    best = max(localize_planted(SETTINGS), key=lambda d: d.score)
    assert (best.video_id, best.label) == ("v", "cluster-01")
    assert best.start == pytest.approx(GRID.start(5), abs=0.35)
    assert best.stop == pytest.approx(GRID.stop(11), abs=0.35)


def test_segments_stay_within_the_video():
    for d in localize_planted(Localization(activation_thresholds=(0.01, 0.5), attention_thresholds=())):
        assert 0 <= d.start < d.stop <= GRID.stop(T - 1)


def test_the_best_class_is_always_selected():
    assert select_classes(np.array([0.01, 0.03, 0.02]), 0.1).tolist() == [1]
    assert select_classes(np.array([0.3, 0.1, 0.2]), 0.1).tolist() == [0, 2]


CHANGES = {
    "class_threshold": 0.2,
    "activation_thresholds": (0.5,),
    "attention_thresholds": (0.06,),
    "upsampling": 2,
    "outer_margin": 1.0,
    "video_score_weight": 0.0,
    "soft_nms_sigma": 0.1,
    "min_score": 0.3,
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_setting_changes_the_detections(name):
    assert localize_planted(replace(SETTINGS, **{name: CHANGES[name]})) != localize_planted(SETTINGS)


def test_all_settings_are_tested_here():
    # Not used here: stream_weights (the head fuses the streams before), curve and smoothing_s (`detect` prepares the
    # curves) and segments (`detect` calls another function).
    others = {"stream_weights", "curve", "smoothing_s", "segments"}
    assert {f.name for f in fields(Localization)} == {*CHANGES, *others}


def test_a_video_without_attention_has_no_detections():
    curves = np.zeros(3), np.ones((3, 2)), np.ones(2)
    assert localize("v", *curves, labels=LABELS, settings=SETTINGS, grid=GRID, duration=DURATION) == []


def test_attention_cuts_the_same_segments_for_all_selected_classes():
    settings = Localization(
        activation_thresholds=(1.0,), attention_thresholds=(0.5,), class_threshold=0.1, soft_nms_sigma=1e9
    )
    detections = localize_planted(settings)
    by_label = {name: {(d.start, d.stop) for d in detections if d.label == name} for name in LABELS}
    assert by_label["cluster-01"] & by_label["cluster-02"]
    assert not by_label["cluster-00"]


@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_flat_attention_cuts_no_segments(noise):
    """It would propose the whole video, which has no surroundings and therefore a high contrast."""
    _, activation, scores = planted()
    settings = Localization(activation_thresholds=(0.9,), attention_thresholds=(0.1, 0.5))
    flat = 0.9 + noise * np.random.default_rng(0).normal(size=T)
    flat[:2] = 0
    detections = localize("v", flat, activation, scores, labels=LABELS, settings=settings, grid=GRID, duration=DURATION)
    assert detections
    assert max(d.stop - d.start for d in detections) < 10 * GRID.stride_s
