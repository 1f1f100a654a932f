"""VGGish's front end, as published: 16 kHz sound to a log-mel patch [96, 64]."""

import functools

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
FFT_SIZE = 512
MEL_BANDS = 64
PATCH_FRAMES = 96
MIN_HZ, MAX_HZ = 125.0, 7500.0
LOG_OFFSET = 0.01


def compute_log_mel(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """log(mel + 0.01) of the magnitude spectrum every 10 ms: [..., 15600] samples to [..., 96, 64]."""
    windows = np.lib.stride_tricks.sliding_window_view(waveform, WINDOW_SAMPLES, axis=-1)[..., ::HOP_SAMPLES, :]
    # In float64, for a loud tone's rounding errors would drown the quiet bands.
    spectrum = np.abs(np.fft.rfft(windows * _hann(), FFT_SIZE))
    return np.log(spectrum @ build_mel_filterbank() + LOG_OFFSET).astype(np.float32)


def hertz_to_mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The HTK mel scale."""
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))


@functools.cache
def build_mel_filterbank() -> NDArray[np.float64]:
    """Triangles in mel, [257 bins, 64 bands]."""
    edges = np.linspace(hertz_to_mel(MIN_HZ), hertz_to_mel(MAX_HZ), MEL_BANDS + 2)
    bins = hertz_to_mel(np.linspace(0.0, SAMPLE_RATE / 2, FFT_SIZE // 2 + 1))[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return np.asarray(np.maximum(triangles, 0.0))


@functools.cache
def _hann() -> NDArray[np.float64]:
    """The periodic Hann window."""
    turns = 2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES
    return np.asarray(0.5 - 0.5 * np.cos(turns))
