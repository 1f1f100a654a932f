"""VGGish's published front end: 16 kHz sound to a log-mel patch [96, 64]."""

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchaudio.functional import spectrogram

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
    mel = compute_spectrogram(waveform) @ build_mel_filterbank()
    return np.log(mel + LOG_OFFSET).astype(np.float32)


def compute_spectrogram(waveform: NDArray[np.float32]) -> NDArray[np.float64]:
    """Magnitude spectrum of a window of 400 samples every 160: [..., samples] to [..., windows, 257].

    float64: with a loud tone, float32 rounding errors would exceed the energy of the quiet bands (8e-4 in log-mel).
    """
    magnitudes = spectrogram(
        # A copy: torch warns about arrays in shared memory, which are read-only.
        torch.from_numpy(waveform.astype(np.float64)),
        # torch centres the window in the FFT. With these zeros, window k starts at sample 160 k, as VGGish's.
        pad=(FFT_SIZE - WINDOW_SAMPLES) // 2,
        window=_build_hann_window(),
        n_fft=FFT_SIZE,
        hop_length=HOP_SAMPLES,
        win_length=WINDOW_SAMPLES,
        power=1.0,
        normalized=False,
        center=False,
    )
    return np.asarray(magnitudes.mT)


@functools.cache
def _build_hann_window() -> Tensor:
    """The periodic Hann window, float64 [400]."""
    return torch.hann_window(WINDOW_SAMPLES, periodic=True, dtype=torch.float64)


def hertz_to_mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The HTK mel scale."""
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))


@functools.cache
def build_mel_filterbank() -> NDArray[np.float64]:
    """Weights [257 bins, 64 bands]: triangles that are linear in mel, as in VGGish.

    torchaudio.functional.melscale_fbanks cannot replace it: its triangles are linear in Hz. With the same band edges
    its weights differ by up to 0.0044, and log-mel values by up to 0.012.
    """
    edges = np.linspace(hertz_to_mel(MIN_HZ), hertz_to_mel(MAX_HZ), MEL_BANDS + 2)
    bins = hertz_to_mel(np.linspace(0.0, SAMPLE_RATE / 2, FFT_SIZE // 2 + 1))[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return np.asarray(np.maximum(triangles, 0.0))
