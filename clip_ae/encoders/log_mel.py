"""VGGish's front end, as published: 16 kHz sound to a log-mel patch [96, 64]."""

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
    """log(mel + 0.01) of the magnitude spectrum every 10 ms: [..., 15600] samples to [..., 96, 64]."""
    windows = np.lib.stride_tricks.sliding_window_view(wave, WINDOW, axis=-1)[..., ::HOP, :]
    # In float64, for a loud tone's rounding errors would drown the quiet bands.
    spectrum = np.abs(np.fft.rfft(windows * _hann(), FFT))
    return np.log(spectrum @ mel_matrix() + OFFSET).astype(np.float32)


def hertz_to_mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The HTK mel scale."""
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))


@functools.cache
def mel_matrix() -> NDArray[np.float64]:
    """Triangles in mel, [257 bins, 64 bands]."""
    edges = np.linspace(hertz_to_mel(LOWEST), hertz_to_mel(HIGHEST), BANDS + 2)
    bins = hertz_to_mel(np.linspace(0.0, RATE / 2, FFT // 2 + 1))[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return np.asarray(np.maximum(triangles, 0.0))


@functools.cache
def _hann() -> NDArray[np.float64]:
    """The periodic Hann window."""
    turns = 2 * np.pi * np.arange(WINDOW) / WINDOW
    return np.asarray(0.5 - 0.5 * np.cos(turns))
