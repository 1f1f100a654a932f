from dataclasses import fields, replace

import numpy as np
import pytest

from clip_ae.core.config.training import Localization
from clip_ae.core.timeline import SnippetGrid
from clip_ae.proposals.localize import localize, select_classes

GRID = SnippetGrid()
END = 100.0
T, ACTION = 20, slice(5, 12)


def planted():
    """Class 1 acts in snippets 5 to 11; class 2 scores too low to be kept."""
    attention, activation = np.full(T, 0.05), np.full((T, 3), 0.5)
    attention[ACTION] = 0.95
    activation[ACTION, 1] = 0.9
    activation[ACTION, 2] = 0.7
    activation[0, 1] = activation[14, 1] = 0.99
    return attention, activation, np.array([0.05, 0.8, 0.15])


LABELS = ("cluster-00", "cluster-01", "cluster-02")


PLAIN = Localization(class_threshold=0.1, attention_thresholds=())


def run(settings):
    return list(localize("v", *planted(), labels=LABELS, settings=settings, grid=GRID, duration=END))


def test_the_planted_action_comes_first():
    best = max(run(PLAIN), key=lambda d: d.score)
    assert (best.video_id, best.label) == ("v", "cluster-01")
    assert best.start == pytest.approx(GRID.start(5), abs=0.35)
    assert best.stop == pytest.approx(GRID.stop(11), abs=0.35)


def test_segments_stay_within_the_video():
    for d in run(Localization(activation_thresholds=(0.01, 0.5), attention_thresholds=())):
        assert 0 <= d.start < d.stop <= GRID.stop(T - 1)


def test_best_class_is_always_kept():
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
def test_every_key_is_used(name):
    assert run(replace(PLAIN, **{name: CHANGES[name]})) != run(PLAIN)


def test_no_key_is_forgotten_here():
    # Streams are fused before, by the head.
    assert {f.name for f in fields(Localization)} == {*CHANGES, "rgb_weight"}


def test_a_silent_video_has_no_detections():
    assert not list(
        localize(
            "v",
            np.zeros(3),
            np.ones((3, 2)),
            np.ones(2),
            labels=LABELS,
            settings=PLAIN,
            grid=GRID,
            duration=END,
        )
    )


def test_attention_cuts_the_same_segments_for_every_kept_class():
    attention, activation, scores = planted()
    only = Localization(
        activation_thresholds=(1.0,), attention_thresholds=(0.5,), class_threshold=0.1, soft_nms_sigma=1e9
    )
    found = list(localize("v", attention, activation, scores, labels=LABELS, settings=only, grid=GRID, duration=END))
    by_label = {name: {(d.start, d.stop) for d in found if d.label == name} for name in LABELS}
    assert by_label["cluster-01"] & by_label["cluster-02"]
    assert not by_label["cluster-00"]


@pytest.mark.parametrize("spread", [0.0, 1e-4])
def test_an_attention_that_is_everywhere_the_same_cuts_nothing(spread):
    """It would offer the whole video, which nothing surrounds and so nothing contradicts."""
    _, activation, scores = planted()
    settings = Localization(activation_thresholds=(0.9,), attention_thresholds=(0.1, 0.5))
    even = 0.9 + spread * np.random.default_rng(0).normal(size=T)
    even[:2] = 0
    found = list(localize("v", even, activation, scores, labels=LABELS, settings=settings, grid=GRID, duration=END))
    assert found
    assert max(d.stop - d.start for d in found) < 10 * GRID.stride_s
