"""The audio front end against a float64 transcription of the published recipe."""

import numpy as np
import pytest

from clip_ae.encoders.log_mel import RATE, log_mel, mel_matrix


def transcription(wave: np.ndarray) -> np.ndarray:
    """Bin by bin and frame by frame, as the recipe is told: a discrete Fourier sum, then HTK triangles."""
    padded = np.concatenate([wave[120:0:-1], wave, wave[-2:-122:-1]]).astype(np.float64)
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
    rows = [np.abs(fourier @ (padded[160 * i : 160 * i + 400] * hann)) @ weights for i in range(96)]
    return np.log(np.stack(rows) + 0.01)


def sounds():
    time = np.arange(15360) / RATE
    rng = np.random.default_rng(0)
    yield 0.5 * np.sin(2 * np.pi * 440 * time)
    yield rng.uniform(-1, 1, 15360)
    yield 0.1 * np.sin(2 * np.pi * (200 + 3000 * time) * time) * (time > 0.3)
    yield np.zeros(15360)


@pytest.mark.parametrize("wave", sounds(), ids=["tone", "noise", "sweep", "silence"])
def test_transcription(wave):
    wave = wave.astype(np.float32)
    found = log_mel(wave)
    assert found.shape == (96, 64)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, transcription(wave), atol=1e-4)


def test_silence_is_the_offset():
    assert np.allclose(log_mel(np.zeros(15360, np.float32)), np.log(0.01))


def test_a_tone_lights_its_band_and_a_click_its_row():
    time = np.arange(15360) / RATE
    tone = log_mel(np.sin(2 * np.pi * 1000 * time).astype(np.float32))
    band = int(np.argmax(mel_matrix()[32]))  # bin 32 of 512 at 16 kHz is 1000 Hz
    assert (tone.argmax(axis=1) == band).all()
    click = np.zeros(15360, np.float32)
    click[160 * 40 + 80] = 1.0
    assert log_mel(click).sum(axis=1).argmax() == 40
