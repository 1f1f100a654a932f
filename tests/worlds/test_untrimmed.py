"""The demo world: counts, extents, objects and sounds over extents, motions in cores."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.core.config.schema import DemoWorld
from clip_ae.core.sharding import list_demo_subsets
from clip_ae.core.types import Instance
from clip_ae.worlds import untrimmed
from clip_ae.worlds.scenes import render_scene
from clip_ae.worlds.sounds import SAMPLE_RATE, render_sound
from clip_ae.worlds.untrimmed import MIN_GAP_S, VideoPlan, plan_videos
from clip_ae.worlds.untrimmed_actors import ACTION_CLASSES

LABELS = {a.label for a in ACTION_CLASSES}
DEFAULT = plan_videos(DemoWorld())
TRAIN = [v for v in DEFAULT if v.subset == "training"]
TEST = [v for v in DEFAULT if v.subset == "validation"]

worlds = st.builds(
    lambda seed, train, test, low, more: DemoWorld(seed, train, test, low, low + more),
    st.integers(0, 99),
    st.integers(5, 26),
    st.integers(1, 9),
    st.floats(4, 20),
    st.floats(0, 10),
)


@given(worlds)
@settings(max_examples=30)
def test_plans_of_any_world_are_consistent(world):
    videos = plan_videos(world)
    assert {v.video_id: v.subset for v in videos} == list_demo_subsets(world.train_videos, world.test_videos)
    assert videos == plan_videos(world)
    assert {i.label for v in videos if v.subset == "training" for i in v.instances} == LABELS
    for video in videos:
        assert world.seconds_min - 0.05 <= video.duration <= world.seconds_max + 0.05
        assert 1 <= len(video.instances) <= 4
        edges = [0.0, *(e for i in video.instances for e in (i.start, i.stop)), video.duration]
        assert all(1 < i.stop - i.start <= 5.01 for i in video.instances)
        assert all(b - a > MIN_GAP_S - 0.01 for a, b in zip(edges[::2], edges[1::2], strict=True))
        assert all(b > a for a, b in pairwise(video.timestamps))
        assert video.duration - 0.15 < video.timestamps[-1] < video.duration


def test_the_default_world_has_enough_videos_of_each_class():
    for videos, min_videos in ((TRAIN, 4), (TEST, 3)):
        videos_by_label = Counter(label for v in videos for label in {i.label for i in v.instances})
        assert set(videos_by_label) == LABELS
        assert min(videos_by_label.values()) >= min_videos
    assert sum(len({i.label for i in v.instances}) == 2 for v in DEFAULT) == 3
    share = sum(i.stop - i.start for v in DEFAULT for i in v.instances) / sum(v.duration for v in DEFAULT)
    assert 0.25 < share < 0.5


@pytest.mark.parametrize("videos", [TRAIN, TEST])
def test_each_subset_has_its_unusual_videos(videos):
    assert Counter(v.channels for v in videos) == {1: len(videos) - 3, 0: 2, 2: 1}
    assert sum(isinstance(v.fps_or_times, tuple) for v in videos) == 1
    unusual = [v for v in videos if v.size != (160, 120)]
    assert [(v.fps_or_times, v.size) for v in unusual] == [(Fraction(24000, 1001), (171, 127))]
    (variable,) = (v for v in videos if isinstance(v.fps_or_times, tuple))
    assert len(set(np.round(np.diff(variable.timestamps), 2))) >= 3


def test_another_seed_gives_another_plan():
    assert plan_videos(DemoWorld(seed=1))[0].instances != DEFAULT[0].instances


def test_annotations_have_activitynet_form_and_the_planned_instances():
    annotations = untrimmed.build_annotations(DEFAULT)
    assert set(annotations) == {"version", "taxonomy", "database"}
    entry = annotations["database"]["demo_test_000"]
    assert (entry["subset"], entry["duration"]) == ("validation", TEST[0].duration)
    first = TEST[0].instances[0]
    assert entry["annotations"][0] == {"label": first.label, "segment": [first.start, first.stop]}


def test_sentences_describe_the_acting_objects_and_their_motions():
    for video_id, sentences in untrimmed.build_sentences(DEFAULT).items():
        (video,) = (v for v in DEFAULT if v.video_id == video_id)
        expected = [f"a {a.appearance.texture} {a.appearance.shape} {a.core.motion}" for a in acting_actors(video)]
        assert sentences["sentences"] == expected
        assert sentences["timestamps"] == [[a.start, a.stop] for a in acting_actors(video)]
        assert sentences["duration"] == video.duration


def acting_actors(video: VideoPlan):
    return [a for a in video.scene.actors if a.core]


@pytest.mark.parametrize("video", [TRAIN[0], TRAIN[7]], ids=lambda v: v.video_id)
def test_acting_objects_are_visible_in_their_extents_only(video):
    others = replace(video.scene, actors=tuple(a for a in video.scene.actors if not a.core))
    times = video.timestamps[::3]
    for time, frame, frame_without_actors in zip(
        times, render_scene(video.scene, times), render_scene(others, times), strict=True
    ):
        inside = any(i.start <= time < i.stop for i in video.instances)
        assert (np.abs(frame.astype(int) - frame_without_actors).max() > 40) == inside, time


@pytest.mark.parametrize("video", DEFAULT[:8], ids=lambda v: v.video_id)
def test_actors_and_sounds_match_the_instances(video):
    assert [(a.start, a.stop) for a in acting_actors(video)] == [(i.start, i.stop) for i in video.instances]
    by_label = {a.label: a for a in ACTION_CLASSES}
    for actor, instance in zip(acting_actors(video), video.instances, strict=True):
        action = by_label[instance.label]
        assert (actor.appearance.shape, actor.core.motion) == (action.shape, action.motion)
        assert instance.start + 0.2 < actor.core.start < actor.core.stop < instance.stop - 0.2
    action_sounds = [s for s in video.sounds if s.kind in {a.sound for a in ACTION_CLASSES}]
    expected = [(by_label[i.label].sound, i.start, i.stop) for i in video.instances if by_label[i.label].sound]
    assert [(s.kind, s.start, s.stop) for s in action_sounds] == expected


def test_distractors_are_never_of_a_class_of_the_video():
    for video in DEFAULT:
        shapes = {a.appearance.shape for a in acting_actors(video)}
        for other in video.scene.actors:
            if not other.core and other.radius > 6:
                assert other.appearance.shape not in shapes
                assert not any(other.start < i.stop and i.start < other.stop for i in video.instances)


def test_the_sound_of_an_action_covers_its_extent():
    video = next(v for v in TRAIN if v.channels == 1 and v.instances[0].label == "looping ring")
    (wave,) = untrimmed.render_audio(video)
    background = sum(render_sound(s, len(wave)) for s in video.sounds if s.kind in untrimmed.BACKGROUND_SOUNDS)
    remainder = wave - background
    inside = np.zeros(len(wave), bool)
    for i in video.instances:
        inside[round(i.start * SAMPLE_RATE) : round(i.stop * SAMPLE_RATE)] = True
    assert np.std(remainder[inside]) > 8 * np.std(remainder[~inside])


def test_stereo_channels_differ_in_loudness_and_mute_videos_have_none():
    (video,) = (v for v in TRAIN if v.channels == 2)
    left, right = untrimmed.render_audio(video)
    assert np.std(left) > 2 * np.std(right) > 0
    assert untrimmed.render_audio(TRAIN[1]).shape == (0, round(TRAIN[1].duration * SAMPLE_RATE))


def test_frames_are_reproducible_and_have_the_video_s_size():
    unusual = replace(TRAIN[4], duration=0.5)
    first, again = ([f.tobytes() for f in untrimmed.render_frames(unusual)] for _ in range(2))
    assert first == again
    assert next(untrimmed.render_frames(unusual)).shape == (127, 171, 3)


def motion_statistics(video: VideoPlan, start: float, stop: float) -> np.ndarray:
    """Statistics of optical flow in a window, without appearance: means, changes in time, rotation, expansion."""
    import cv2

    times = np.linspace(start, stop, max(4, round((stop - start) * 25)))
    grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in render_scene(replace(video.scene, camera_shake=0.0), times)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    rows = []
    for a, b in pairwise(grey):
        flow = dis.calc(a, b, None)[24:96, 20:140]
        weight = np.hypot(flow[..., 0], flow[..., 1])
        weight = np.where(weight > 0.5, weight, 0) + 1e-6
        (uy, ux), (vy, vx) = np.gradient(flow[..., 0]), np.gradient(flow[..., 1])
        rows.append([np.average(q, weights=weight) for q in (flow[..., 0], flow[..., 1], vx - uy, ux + vy, ux - vy)])
    table = np.array(rows)
    return np.log(0.05 + np.concatenate([np.abs(table).mean(axis=0), table.std(axis=0)]))


def nearest_centroid_accuracy(train, test):
    mean = np.mean([x for _, x in train], axis=0)
    scale = np.std([x for _, x in train], axis=0)
    centres = {k: np.mean([(x - mean) / scale for la, x in train if la == k], axis=0) for k in LABELS}
    guesses = [min(LABELS, key=lambda k: np.linalg.norm(centres[k] - (x - mean) / scale)) for _, x in test]
    return np.mean([g == label for g, (label, _) in zip(guesses, test, strict=True)])


def test_motion_identifies_the_class_in_the_core_but_not_in_the_onset():
    def samples(videos, phase):
        for video in videos:
            for actor, instance in zip(acting_actors(video), video.instances, strict=True):
                yield instance.label, motion_statistics(video, *phase(actor, instance))

    def core(actor, instance: Instance):
        return actor.core.start + 0.04, actor.core.stop - 0.04

    def onset(actor, instance: Instance):
        return instance.start + 0.04, actor.core.start - 0.04

    accuracy = {
        phase.__name__: nearest_centroid_accuracy(list(samples(TRAIN[:15], phase)), list(samples(TEST[:12], phase)))
        for phase in (core, onset)
    }
    assert accuracy["core"] > 0.85, accuracy
    assert accuracy["onset"] < 0.5, accuracy
