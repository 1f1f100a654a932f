"""Sounds: zero outside their extent, similar in loudness, different in their spectra."""

import numpy as np
import pytest

from clip_ae.worlds.sounds import SAMPLE_RATE, SOUNDS, Sound, mix_sounds, render_sound


@pytest.mark.parametrize("kind", SOUNDS)
def test_a_sound_is_zero_outside_its_extent(kind):
    wave = render_sound(Sound(kind, 0.5, 1.5, 1.0, 1.0, (1,)), 2 * SAMPLE_RATE)
    inside = slice(SAMPLE_RATE // 2, 3 * SAMPLE_RATE // 2)
    assert 0.1 < np.sqrt(np.mean(wave[inside] ** 2)) < 1.2
    wave[inside] = 0
    assert not wave.any()


@pytest.mark.parametrize("kind", SOUNDS)
def test_a_sound_does_not_depend_on_its_start(kind):
    early, late = (render_sound(Sound(kind, s, s + 1, 1.0, 1.0, (1,)), 2 * SAMPLE_RATE) for s in (0.125, 0.75))
    # Rounding may put a sample at the edge of a square wave on either side.
    assert np.mean(np.abs(late[12000:28000] - early[2000:18000]) > 1e-6) < 0.01


def test_a_sound_may_exceed_the_waveform_at_both_ends():
    whole, cut = (render_sound(Sound("tone", s, s + 3, 1.0, 1.0, (1,)), SAMPLE_RATE) for s in (0.0, -1.0))
    assert len(whole) == len(cut) == SAMPLE_RATE
    assert np.abs(cut[:100]).max() > 0.1


def test_pitch_scales_the_frequency():
    def peak(pitch):
        return int(np.argmax(np.abs(np.fft.rfft(render_sound(Sound("tone", 0, 1, pitch, 1.0, (1,)), SAMPLE_RATE)))))

    assert (peak(1.0), peak(1.25)) == (520, 650)


def test_kinds_are_classified_by_nearest_mean_spectrum():
    """With random loudness, pitch and noise as in the worlds, a normalised spectrum identifies the kind."""
    rng = np.random.default_rng(0)

    def spectra(count):
        for label, kind in enumerate(SOUNDS):
            for n in range(count):
                sound = Sound(kind, -0.5, 2, rng.uniform(0.9, 1.1), rng.uniform(0.1, 0.4), (n, label))
                power = np.abs(np.fft.rfft(mix_sounds([sound], SAMPLE_RATE, 0.01, (7, n)))) ** 2
                bands = np.log([b.sum() for b in np.array_split(power, 80)])
                yield label, bands - bands.mean()

    train, test = list(spectra(6)), list(spectra(3))
    centres = np.array([np.mean([s for la, s in train if la == k], axis=0) for k in range(len(SOUNDS))])
    right = [int(np.argmin(((centres - s) ** 2).sum(axis=1))) == label for label, s in test]
    assert np.mean(right) > 0.8


def test_a_mix_is_bounded_and_reproducible():
    loud = [Sound("buzz", 0, 1, 1.0, 3.0, (1,))]
    first, again = mix_sounds(loud, SAMPLE_RATE, 0.01, (2,)), mix_sounds(loud, SAMPLE_RATE, 0.01, (2,))
    assert first.dtype == np.float32
    assert np.abs(first).max() == 1
    assert first.tobytes() == again.tobytes()
