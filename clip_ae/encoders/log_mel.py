"""VGGish's front end: 0.96 s of 16 kHz sound to a log-mel patch [96, 64]."""

import functools

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
WINDOW = 400
HOP = 160
FFT = 512
BANDS = 64
FRAMES = 96
LOWEST, HIGHEST = 125.0, 7500.0
OFFSET = 0.01


def log_mel(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """log(mel + 0.01) of the magnitude spectrum, one row every 10 ms, each centred on its 10 ms."""
    # 96 windows of 25 ms reach 7.5 ms past either end; a mirror keeps the tone going where silence would click.
    margin = (WINDOW - HOP) // 2
    padded = np.pad(np.asarray(wave, np.float32), margin, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = np.abs(np.fft.rfft(windows * _hann(), FFT)).astype(np.float32)
    return np.asarray(np.log(spectrum @ mel_matrix() + np.float32(OFFSET)))


def hertz_to_mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The HTK mel scale."""
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))


@functools.cache
def mel_matrix() -> NDArray[np.float32]:
    """Triangles in mel, [257 bins, 64 bands]; the bin of the mean counts in none."""
    edges = np.linspace(hertz_to_mel(LOWEST), hertz_to_mel(HIGHEST), BANDS + 2)
    bins = hertz_to_mel(np.linspace(0.0, RATE / 2, FFT // 2 + 1))[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    triangles = np.maximum(triangles, 0.0)
    triangles[0] = 0.0
    return triangles.astype(np.float32)


@functools.cache
def _hann() -> NDArray[np.float32]:
    """The periodic Hann window of the published recipe."""
    turns = 2 * np.pi * np.arange(WINDOW) / WINDOW
    return (0.5 - 0.5 * np.cos(turns)).astype(np.float32)
