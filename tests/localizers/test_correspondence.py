"""The gate on planted videos: sound that follows the picture, sound of its own, and none."""

import numpy as np
import pytest
import torch

from clip_ae.localizers.correspondence import MIN_Z, NUM_SHIFTS, audio_gate, correspondence_z


def draw_events(rng, length=120):
    """0 or 1 for each snippet, in stretches of about six."""
    return np.cumsum(rng.random(length) < 1 / 6) % 2


def draw_features(rng, events, dim=12, noise=0.5):
    """A direction of its own where there is an event, with noise and slow drift."""
    drift = np.cumsum(rng.normal(size=(len(events), dim)), axis=0) / 20
    return torch.tensor(events[:, None] * rng.normal(size=dim) + noise * rng.normal(size=(len(events), dim)) + drift)


def reference_z(audio, views):
    """By its definition, with correlations of the entries off the diagonal."""
    length = len(audio)
    first = int(np.ceil(length / 10))
    shifts = np.unique(np.round(np.linspace(first, length - first, NUM_SHIFTS)).astype(int))
    off_diagonal = ~np.eye(length, dtype=bool)

    def gram(x):
        x = x - x.mean(axis=0)
        return x @ x.T * off_diagonal

    visual = sum(g / g.std(ddof=1) for g in map(gram, views))

    def agree(shift):
        return np.corrcoef(visual[off_diagonal], gram(np.roll(audio, shift, axis=0))[off_diagonal])[0, 1]

    shifted = [agree(s) for s in shifts]
    return (agree(0) - np.mean(shifted)) / np.std(shifted, ddof=1)


@pytest.mark.parametrize("length", [9, 40, 121])
def test_z_equals_its_definition(length):
    rng = np.random.default_rng(length)
    audio, rgb, flow = (draw_features(rng, draw_events(rng, length)) for _ in range(3))
    expected = reference_z(audio.numpy(), [rgb.numpy(), flow.numpy()])
    assert correspondence_z(audio, [rgb, flow]) == pytest.approx(expected, rel=1e-3)


def test_the_gate_is_open_for_sound_that_follows_the_picture():
    rng = np.random.default_rng(0)
    follows, independent = [], []
    for _ in range(100):
        events, others = draw_events(rng), draw_events(rng)
        views = [draw_features(rng, events) for _ in range(2)]
        follows.append(correspondence_z(draw_features(rng, events), views) > MIN_Z)
        independent.append(correspondence_z(draw_features(rng, others), views) > MIN_Z)
    assert np.mean(follows) > 0.9
    assert np.mean(independent) < 0.2


def test_silent_videos_and_padding():
    """The first video follows, the second is silent; the padding of the third has no effect."""
    rng = np.random.default_rng(1)
    events = draw_events(rng, 60)
    audio, rgb = draw_features(rng, events), draw_features(rng, events)
    mask = torch.ones(3, 90, dtype=torch.bool)
    mask[0, 60:] = mask[2, 60:] = False
    padded_audio, padded_rgb = (torch.full((3, 90, 12), 50.0, dtype=torch.float64) for _ in range(2))
    for b in (0, 2):
        padded_audio[b, :60], padded_rgb[b, :60] = audio, rgb
    audio_mask = mask.clone()
    audio_mask[1] = False
    assert audio_gate(padded_audio, audio_mask, [padded_rgb], mask).tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_videos_too_short_to_be_shifted_are_not_said_to_follow(length):
    x = torch.randn(length, 4)
    assert correspondence_z(x, [x]) == 0.0


def test_constant_features_agree_with_nothing():
    x = torch.randn(40, 4)
    assert correspondence_z(torch.ones(40, 3), [x]) == 0.0
    assert correspondence_z(x, [torch.zeros(40, 3)]) == 0.0
