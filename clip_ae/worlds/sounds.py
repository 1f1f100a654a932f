"""Sounds of the generated videos: each kind as a function of time and pitch, and their mix."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.float64]

# Samples per second.
SAMPLE_RATE = 16000
# Seconds of fade-in and fade-out, so that no sound starts with a click.
FADE_SECONDS = 0.02


@dataclass(frozen=True)
class Sound:
    """A sound from start to stop in seconds; pitch multiplies the kind's frequencies, level its amplitude."""

    kind: str
    start: float
    stop: float
    pitch: float
    level: float
    seed: tuple[int, ...]


def _sine(t: Waveform, hertz: float) -> Waveform:
    return np.sin(2 * np.pi * hertz * t)


def _cycle(t: Waveform, hertz: float) -> Waveform:
    """Elapsed share of the current period, in [0, 1)."""
    return np.mod(hertz * t, 1.0)


def _saw(t: Waveform, hertz: float) -> Waveform:
    return 2 * _cycle(t, hertz) - 1


def _noise(t: Waveform, low: float, high: float, rng: np.random.Generator) -> Waveform:
    """Noise of unit power between two frequencies."""
    spectrum = np.fft.rfft(rng.normal(size=len(t)))
    hertz = np.fft.rfftfreq(len(t), 1 / SAMPLE_RATE)
    spectrum[(hertz < low) | (hertz > high)] = 0
    noise = np.fft.irfft(spectrum, len(t))
    return np.asarray(noise / max(float(noise.std()), 1e-9))


def _sweep(t: Waveform, first: float, last: float, seconds: float) -> Waveform:
    """A tone that glides from one frequency to another, repeated every `seconds`."""
    u = np.mod(t, seconds)
    phase = first * u + (last - first) * u**2 / (2 * seconds)
    return np.sin(2 * np.pi * phase) * np.sin(np.pi * u / seconds)


def _strokes(t: Waveform, hertz: float, decay: float) -> Waveform:
    """An envelope of `hertz` strokes per second, each of which decays with time constant `decay` in seconds."""
    return np.exp(-_cycle(t, hertz) / (hertz * decay))


def _siren(t: Waveform, pitch: float) -> Waveform:
    phase = 900 * t + 450 / (2 * np.pi * 1.5) * np.sin(2 * np.pi * 1.5 * t)
    return np.sin(2 * np.pi * pitch * phase) + 0.4 * np.sin(4 * np.pi * pitch * phase)


def _bells(t: Waveform, pitch: float) -> Waveform:
    partials = [_sine(t, 700 * pitch * ratio) / k for k, ratio in enumerate((1.0, 2.76, 5.4), 1)]
    return sum(partials, np.zeros(len(t))) * _strokes(t, 2.2, 0.18)


SOUNDS: dict[str, Callable[[Waveform, float, np.random.Generator], Waveform]] = {
    "tone": lambda t, pitch, rng: _sine(t, 520 * pitch),
    "whirr": lambda t, pitch, rng: _saw(t, 160 * pitch) * (1 + 0.8 * _sine(t, 11)),
    "thumps": lambda t, pitch, rng: 1.8 * _sine(t, 130 * pitch) * _strokes(t, 3.5, 0.09),
    "rises": lambda t, pitch, rng: _sweep(t, 500 * pitch, 2400 * pitch, 0.28),
    "falls": lambda t, pitch, rng: _sweep(t, 3600 * pitch, 1200 * pitch, 0.2),
    "tremolo": lambda t, pitch, rng: _sine(t, 1500 * pitch) * (0.8 + 0.7 * _sine(t, 6)),
    "beeps": lambda t, pitch, rng: np.where(_cycle(t, 4) < 0.5, _sine(t, 900 * pitch), _sine(t, 1350 * pitch)),
    "clicks": lambda t, pitch, rng: 0.9 * _noise(t, 1000, 7500, rng) * _strokes(t, 9 * pitch, 0.008),
    "buzz": lambda t, pitch, rng: _saw(t, 95 * pitch),
    "bells": lambda t, pitch, rng: 0.9 * _bells(t, pitch),
    "hiss": lambda t, pitch, rng: 0.7 * _noise(t, 4200 * pitch, 7800, rng),
    "rumble": lambda t, pitch, rng: 0.9 * _noise(t, 60, 320 * pitch, rng),
    "siren": lambda t, pitch, rng: 0.9 * _siren(t, pitch),
    "rattle": lambda t, pitch, rng: _noise(t, 1400 * pitch, 3200 * pitch, rng) * (_cycle(t, 14) < 0.45),
}


def render_sound(sound: Sound, num_samples: int) -> Waveform:
    """The waveform of one sound, zero outside its extent."""
    wave = np.zeros(num_samples)
    first, last = (min(num_samples, max(0, round(s * SAMPLE_RATE))) for s in (sound.start, sound.stop))
    if last > first:
        t = np.arange(first, last) / SAMPLE_RATE - sound.start
        fade = np.clip(np.minimum(t, sound.stop - sound.start - t) / FADE_SECONDS, 0, 1)
        rng = np.random.default_rng(sound.seed)
        wave[first:last] = sound.level * fade * SOUNDS[sound.kind](t, sound.pitch, rng)
    return wave


def mix_sounds(
    sounds: Iterable[Sound], num_samples: int, noise_level: float, seed: tuple[int, ...]
) -> NDArray[np.float32]:
    """The sum of the sounds and of white noise with sd `noise_level`, clipped to [-1, 1]."""
    total = np.random.default_rng(seed).normal(0, noise_level, num_samples)
    for sound in sounds:
        total += render_sound(sound, num_samples)
    return np.clip(total, -1, 1).astype(np.float32)
