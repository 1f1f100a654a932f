"""The audio front end against a float64 transcription of the published recipe."""

import numpy as np
import pytest

from clip_ae.encoders.log_mel import SAMPLE_RATE, build_mel_filterbank, compute_log_mel

SAMPLES = 95 * 160 + 400
TIME = np.arange(SAMPLES) / SAMPLE_RATE


def transcription(wave: np.ndarray) -> np.ndarray:
    """Bin by bin and frame by frame, as the recipe is told: a discrete Fourier sum, then HTK triangles."""
    n = np.arange(400)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
    fourier = np.exp(-2j * np.pi * np.outer(np.arange(257), n) / 512)

    def mel(hertz: float) -> float:
        return 2595 * np.log10(1 + hertz / 700)

    edges = np.linspace(mel(125), mel(7500), 66)
    weights = np.zeros((257, 64))
    for k in range(1, 257):
        here = mel(k * 16000 / 512)
        for band in range(64):
            low, centre, high = edges[band : band + 3]
            rising, falling = (here - low) / (centre - low), (high - here) / (high - centre)
            weights[k, band] = max(0.0, min(rising, falling))
    frames = [wave[160 * i : 160 * i + 400].astype(np.float64) for i in range(96)]
    return np.log(np.stack([np.abs(fourier @ (frame * hann)) @ weights for frame in frames]) + 0.01)


def clicks() -> np.ndarray:
    return (np.arange(SAMPLES) % 1301 == 7).astype(np.float32)


SOUNDS = {
    "tone": np.sin(2 * np.pi * 440 * TIME),
    "high": 0.01 * np.sin(2 * np.pi * 7400 * TIME),
    "chord": sum(0.2 * np.sin(2 * np.pi * f * TIME) for f in (130, 997, 3456)),
    "sweep": 0.1 * np.sin(2 * np.pi * (200 + 3000 * TIME) * TIME) * (TIME > 0.3),
    "noise": np.random.default_rng(0).uniform(-1, 1, SAMPLES),
    "clicks": clicks(),
    "constant": np.ones(SAMPLES),
    "silence": np.zeros(SAMPLES),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_transcription(name):
    wave = SOUNDS[name].astype(np.float32)
    found = compute_log_mel(wave)
    assert (found.shape, found.dtype) == ((96, 64), np.float32)
    np.testing.assert_allclose(found, transcription(wave), rtol=0, atol=1e-5)


def test_many_waves_at_once():
    waves = np.stack(list(SOUNDS.values())).astype(np.float32)
    found = compute_log_mel(waves)
    assert found.shape == (len(SOUNDS), 96, 64)
    assert all(np.array_equal(patch, compute_log_mel(wave)) for patch, wave in zip(found, waves, strict=True))


def test_silence_is_the_offset():
    assert np.allclose(compute_log_mel(np.zeros(SAMPLES, np.float32)), np.log(0.01))


def test_a_tone_lights_its_band_and_a_click_its_row():
    tone = compute_log_mel(np.sin(2 * np.pi * 1000 * TIME).astype(np.float32))
    band = int(np.argmax(build_mel_filterbank()[32]))  # bin 32 of 512 at 16 kHz is 1000 Hz
    assert (tone.argmax(axis=1) == band).all()
    click = np.zeros(SAMPLES, np.float32)
    click[160 * 40 + 200] = 1.0  # the middle of window 40
    assert compute_log_mel(click).sum(axis=1).argmax() == 40
