"""The pre-training world: balanced, reproducible, and without three of the demo's classes."""

from itertools import islice

import numpy as np

from clip_ae.worlds import trimmed, untrimmed_actors


def test_clips_are_balanced_and_have_the_stated_shapes():
    clips = list(trimmed.generate_clips(seed=1, num_clips=24))
    assert np.bincount([c.label for c in clips]).tolist() == [2] * 12
    for clip in clips:
        frames, wave = clip.render_frames(3), clip.render_audio()
        assert (frames.shape, frames.dtype) == ((3, 120, 160, 3), np.uint8)
        assert (wave.shape, wave.dtype) == ((15600,), np.float32)
        assert clip.captions[0].split()[-1] == trimmed.CLASSES[clip.label]


def test_a_clip_does_not_depend_on_the_number_of_clips():
    few, many = list(trimmed.generate_clips(3, 2)), list(islice(trimmed.generate_clips(3, 50), 2))
    for a, b in zip(few, many, strict=True):
        assert a.render_frames(17).tobytes() == b.render_frames(17).tobytes()
        assert a.render_audio().tobytes() == b.render_audio().tobytes()
        assert a.captions == b.captions


def test_another_seed_gives_other_clips():
    (a,), (b,) = trimmed.generate_clips(1, 1), trimmed.generate_clips(2, 1)
    assert a.render_frames(1).tobytes() != b.render_frames(1).tobytes()


def test_shapes_do_not_predict_the_motion():
    """Each shape has many motions: a motion classifier cannot use the object."""
    pairs = {tuple(c.captions[0].split()[-2:]) for c in trimmed.generate_clips(1, 240)}
    for shape in trimmed.SHAPE_NAMES:
        assert len({motion for t, motion in pairs if t == shape}) >= 6


def test_all_clips_contain_motion():
    for clip in trimmed.generate_clips(5, 12):
        change = np.abs(np.diff(clip.render_frames(17).astype(int), axis=0)).max(axis=3) > 40
        assert change.sum(axis=(1, 2)).mean() > 20, clip.captions


def test_fewer_frames_are_the_first_of_more_frames():
    (clip,) = trimmed.generate_clips(1, 1)
    assert clip.render_frames(2).tobytes() == clip.render_frames(17)[:2].tobytes()


def test_spinning_objects_have_a_texture_that_shows_rotation():
    spinning_captions = [
        c.captions[0].split() for c in trimmed.generate_clips(1, 600) if c.label == trimmed.CLASSES.index("spinning")
    ]
    assert {words[2] for words in spinning_captions} == set(trimmed.ROTATION_TEXTURES)


def test_three_of_the_demo_s_motions_and_sounds_are_absent_and_all_of_its_shapes_present():
    """As in reality: CLIP was trained on the objects of most actions, I3D not on the actions themselves."""
    absent = [a for a in untrimmed_actors.ACTION_CLASSES if a.motion not in trimmed.CLASSES]
    assert len(absent) == 3
    assert not {a.sound for a in absent} & set(trimmed.MOTION_SOUNDS.values())
    assert {a.shape for a in untrimmed_actors.ACTION_CLASSES} <= set(trimmed.SHAPE_NAMES)


def test_captions_are_a_full_one_and_parts_of_it():
    for clip in trimmed.generate_clips(1, 6):
        full, *parts = clip.captions
        assert all(set(part.split()) < set(full.split()) for part in parts)
        assert {word for part in parts for word in part.split()} == set(full.split())


def test_colours_differ_from_those_of_the_demo():
    assert not set(trimmed.COLOURS.values()) & set(untrimmed_actors.COLOURS)
