"""Scenes: actors enter, move and leave as their data say, and frames show nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from clip_ae.worlds.motions import GENERIC_MOTIONS, MOTIONS
from clip_ae.worlds.scenes import FRAME_HEIGHT, FRAME_WIDTH, ActionCore, Actor, Scene, render_scene
from clip_ae.worlds.sprites import SHAPES, TEXTURES, Appearance, draw_sprite

RED = (220, 30, 30)
GREY = ((120, 120, 120), (120, 120, 120))


def actor(**changes):
    base_actor = Actor(Appearance("ball", "plain", RED), 1.0, 3.0, (60.0, 50.0), 15.0, "drifting", travel_distance=30.0)
    return replace(base_actor, **changes)


@pytest.mark.parametrize("name", MOTIONS)
def test_a_motion_repeats_after_a_cycle(name):
    first, last = MOTIONS[name](0.3), MOTIONS[name](5.3)
    assert [last.x, last.y, last.scale_x, last.scale_y, last.shear, last.brightness] == pytest.approx(
        [first.x, first.y, first.scale_x, first.scale_y, first.shear, first.brightness]
    )
    assert np.cos(last.angle - first.angle) == pytest.approx(1)


@pytest.mark.parametrize("name", GENERIC_MOTIONS)
def test_a_generic_motion_is_at_rest_in_its_middle(name):
    pose = GENERIC_MOTIONS[name](0.0)
    assert (pose.x, pose.y, pose.scale_x, pose.scale_y) == (0, 0, 1, 1)


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("generic_motion", GENERIC_MOTIONS)
def test_an_actor_moves_without_jumps(motion, generic_motion):
    acting = actor(
        generic_motion=generic_motion, heading=0.7, motion_amplitude=18.0, core=ActionCore(motion, 1.5, 2.4, 2)
    )
    path = np.array([(p.x, p.y) for p in map(acting.pose_at, np.arange(1.0, 3.0, 0.001))])
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < 0.6


def test_a_drifting_actor_is_at_its_position_halfway():
    drifting = actor()
    assert [drifting.pose_at(t).x for t in (1.0, 2.0, 3.0)] == pytest.approx([30, 60, 90])


def test_an_object_is_drawn_at_its_position_and_in_its_time_only():
    alone, with_actor = Scene((1,), GREY, ()), Scene((1,), GREY, (actor(),))
    times = [0.9, 1.0, 2.0, 2.9, 3.0]
    changed = [
        np.abs(a.astype(int) - b).max(axis=2) > 30
        for a, b in zip(render_scene(alone, times), render_scene(with_actor, times), strict=True)
    ]
    assert [bool(c.any()) for c in changed] == [False, True, True, True, False]
    rows, columns = np.nonzero(changed[2])
    assert (columns.mean(), rows.mean()) == pytest.approx((60, 50), abs=0.6)
    assert changed[2].sum() == pytest.approx(np.pi * 15**2, rel=0.08)


@pytest.mark.parametrize("motion", ["spinning", "pulsating", "wobbling", "stretching", "flipping"])
def test_a_motion_in_place_keeps_the_centre(motion):
    acting = actor(travel_distance=0.0, core=ActionCore(motion, 1.0, 2.9, 2))
    times = np.linspace(1.1, 2.7, 7)
    alone, with_actor = Scene((1,), GREY, ()), Scene((1,), GREY, (acting,))
    for a, b in zip(render_scene(alone, times), render_scene(with_actor, times), strict=True):
        rows, columns = np.nonzero(np.abs(a.astype(int) - b).max(axis=2) > 30)
        assert (columns.mean(), rows.mean()) == pytest.approx((60, 50), abs=0.8)


def test_the_camera_shifts_the_whole_frame():
    still, shaken = (
        Scene((3,), GREY, (actor(travel_distance=0.0),), camera_shake=s, noise_level=0) for s in (0.0, 3.0)
    )

    def centre_of_red(scene):
        (frame,) = render_scene(scene, [2.0])
        red = frame[..., 0].astype(int) - frame[..., 1] > 60
        return np.argwhere(red).mean(axis=0)

    shift = centre_of_red(shaken) - centre_of_red(still)
    (a,), (b,) = render_scene(still, [2.0]), render_scene(shaken, [2.0])
    background = np.s_[85:115, 100:140]
    shifted_background = np.roll(a, np.round(shift).astype(int), (0, 1))[background]
    assert np.abs(shift).max() > 1
    assert (
        np.abs(shifted_background.astype(int) - b[background]).mean()
        < np.abs(a[background].astype(int) - b[background]).mean()
    )


def test_a_scene_gives_the_same_bytes_and_another_seed_others():
    scene = Scene((5,), GREY, (actor(),), camera_shake=1.0)
    first, again = ([f.tobytes() for f in render_scene(scene, [1.5, 2.0])] for _ in range(2))
    assert first == again
    assert first != [f.tobytes() for f in render_scene(replace(scene, seed=(6,)), [1.5, 2.0])]


def test_frames_have_the_stated_shape_and_type():
    (frame,) = render_scene(Scene((1,), GREY, ()), [0.0])
    assert (frame.shape, frame.dtype) == ((FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)


def test_all_shapes_and_textures_look_different():
    appearances = [Appearance(s, t, RED) for s in SHAPES for t in TEXTURES]
    images = {draw_sprite(appearance, 32).tobytes() for appearance in appearances}
    assert len(images) == len(appearances)


def test_a_ring_has_a_hole():
    assert draw_sprite(Appearance("ring", "plain", RED), 64)[32, 32, 3] == 0
    assert draw_sprite(Appearance("ball", "plain", RED), 64)[32, 32, 3] == 255
