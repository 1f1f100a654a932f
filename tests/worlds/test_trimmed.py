"""The pre-training world: balanced, repeatable, and ignorant of three of the demo's classes."""

from itertools import islice

import numpy as np

from clip_ae.worlds import trimmed, untrimmed


def test_clips_are_balanced_and_shaped():
    found = list(trimmed.generate_clips(seed=1, num_clips=24))
    assert np.bincount([c.label for c in found]).tolist() == [2] * 12
    for clip in found:
        frames, wave = clip.render_frames(3), clip.render_audio()
        assert (frames.shape, frames.dtype) == ((3, 120, 160, 3), np.uint8)
        assert (wave.shape, wave.dtype) == ((15600,), np.float32)
        assert clip.captions[0].split()[-1] == trimmed.CLASSES[clip.label]


def test_clip_does_not_depend_on_the_count():
    few, many = list(trimmed.generate_clips(3, 2)), list(islice(trimmed.generate_clips(3, 50), 2))
    for a, b in zip(few, many, strict=True):
        assert a.render_frames(17).tobytes() == b.render_frames(17).tobytes()
        assert a.render_audio().tobytes() == b.render_audio().tobytes()
        assert a.captions == b.captions


def test_seed_changes_everything():
    (a,), (b,) = trimmed.generate_clips(1, 1), trimmed.generate_clips(2, 1)
    assert a.render_frames(1).tobytes() != b.render_frames(1).tobytes()


def test_things_do_not_tell_the_motion():
    """Every thing is seen in many motions: a motion classifier cannot go by the object."""
    pairs = {tuple(c.captions[0].split()[-2:]) for c in trimmed.generate_clips(1, 240)}
    for thing in trimmed.SHAPE_NAMES:
        assert len({motion for t, motion in pairs if t == thing}) >= 6


def test_every_clip_moves():
    for clip in trimmed.generate_clips(5, 12):
        change = np.abs(np.diff(clip.render_frames(17).astype(int), axis=0)).max(axis=3) > 40
        assert change.sum(axis=(1, 2)).mean() > 20, clip.captions


def test_fewer_frames_are_the_first_of_more():
    (clip,) = trimmed.generate_clips(1, 1)
    assert clip.render_frames(2).tobytes() == clip.render_frames(17)[:2].tobytes()


def test_what_spins_is_seen_to_turn():
    spun = [
        c.captions[0].split() for c in trimmed.generate_clips(1, 600) if c.label == trimmed.CLASSES.index("spinning")
    ]
    assert {words[2] for words in spun} == set(trimmed.ROTATION_TEXTURES)


def test_three_of_the_demos_motions_and_their_sounds_are_unknown_here_and_all_of_its_things_known():
    """As CLIP knows the objects of most actions, while I3D has never seen them done."""
    unknown = [a for a in untrimmed.ACTION_CLASSES if a.motion not in trimmed.CLASSES]
    assert len(unknown) == 3
    assert not {a.sound for a in unknown} & set(trimmed.MOTION_SOUNDS.values())
    assert {a.shape for a in untrimmed.ACTION_CLASSES} <= set(trimmed.SHAPE_NAMES)


def test_a_clip_is_described_in_whole_and_in_part():
    for clip in trimmed.generate_clips(1, 6):
        whole, *parts = clip.captions
        assert all(set(part.split()) < set(whole.split()) for part in parts)
        assert {word for part in parts for word in part.split()} == set(whole.split())


def test_colours_are_not_the_demos():
    assert not set(trimmed.COLOURS.values()) & set(untrimmed.COLOURS)
