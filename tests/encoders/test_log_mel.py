"""VGGish's front end: against a float64 transcription of the published recipe, and against plain numpy."""

import numpy as np
import pytest
import torch
from torchaudio.functional import melscale_fbanks

from clip_ae.core.config.schema import VggishOptions
from clip_ae.encoders.log_mel import SAMPLE_RATE, build_mel_filterbank, compute_log_mel
from clip_ae.encoders.networks import vggish

SAMPLES = 95 * 160 + 400
TIME = np.arange(SAMPLES) / SAMPLE_RATE


def transcribe_recipe(wave: np.ndarray) -> np.ndarray:
    """Log-mel bin by bin and frame by frame, as the paper describes it: a discrete Fourier sum, then HTK triangles."""
    n = np.arange(400)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
    fourier = np.exp(-2j * np.pi * np.outer(np.arange(257), n) / 512)

    def mel(hertz: float) -> float:
        return 2595 * np.log10(1 + hertz / 700)

    edges = np.linspace(mel(125), mel(7500), 66)
    weights = np.zeros((257, 64))
    for k in range(1, 257):
        position = mel(k * 16000 / 512)
        for band in range(64):
            low, centre, high = edges[band : band + 3]
            rising, falling = (position - low) / (centre - low), (high - position) / (high - centre)
            weights[k, band] = max(0.0, min(rising, falling))
    frames = [wave[160 * i : 160 * i + 400].astype(np.float64) for i in range(96)]
    return np.log(np.stack([np.abs(fourier @ (frame * hann)) @ weights for frame in frames]) + 0.01)


def compute_numpy_log_mel(wave: np.ndarray) -> np.ndarray:
    """The front end in numpy alone, as it was before the spectrogram came from torchaudio."""
    windows = np.lib.stride_tricks.sliding_window_view(wave, 400, axis=-1)[..., ::160, :]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    spectrum = np.abs(np.fft.rfft(windows * hann, 512))
    return np.log(spectrum @ build_mel_filterbank() + 0.01).astype(np.float32)


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
def test_log_mel_equals_the_transcribed_recipe(name):
    wave = SOUNDS[name].astype(np.float32)
    patch = compute_log_mel(wave)
    assert (patch.shape, patch.dtype) == ((96, 64), np.float32)
    np.testing.assert_allclose(patch, transcribe_recipe(wave), rtol=0, atol=1e-5)


@torch.inference_mode()
def test_vggish_features_equal_those_of_the_numpy_front_end():
    """A network of the published size with fixed random weights."""
    torch.manual_seed(0)
    network = vggish.build(VggishOptions()).eval()
    waves = np.stack(list(SOUNDS.values())).astype(np.float32)
    features, reference = (
        network.embed(torch.from_numpy(front_end(waves))[:, None]).numpy()
        for front_end in (compute_log_mel, compute_numpy_log_mel)
    )
    assert features.shape == (len(SOUNDS), 128)
    assert features.std(axis=0).max() > 1e-3, "the features depend on the sound"
    np.testing.assert_allclose(features, reference, rtol=0, atol=1e-5)


def test_torchaudio_filter_bank_differs():
    """Its triangles are linear in Hz. If it becomes equal, it can replace ours."""
    bank = melscale_fbanks(257, 125.0, 7500.0, 64, SAMPLE_RATE, norm=None, mel_scale="htk").numpy()
    assert np.abs(bank - build_mel_filterbank()).max() == pytest.approx(0.0044, abs=1e-4)


def test_a_batch_of_waves_gives_the_same_patches_as_single_waves():
    waves = np.stack(list(SOUNDS.values())).astype(np.float32)
    patches = compute_log_mel(waves)
    assert patches.shape == (len(SOUNDS), 96, 64)
    assert all(np.array_equal(patch, compute_log_mel(wave)) for patch, wave in zip(patches, waves, strict=True))


def test_silence_is_the_log_of_the_offset():
    assert np.allclose(compute_log_mel(np.zeros(SAMPLES, np.float32)), np.log(0.01))


def test_a_tone_is_largest_in_its_band_and_a_click_in_its_frame():
    tone = compute_log_mel(np.sin(2 * np.pi * 1000 * TIME).astype(np.float32))
    band = int(np.argmax(build_mel_filterbank()[32]))  # bin 32 of 512 at 16 kHz is 1000 Hz
    assert (tone.argmax(axis=1) == band).all()
    click = np.zeros(SAMPLES, np.float32)
    click[160 * 40 + 200] = 1.0  # the middle of window 40
    assert compute_log_mel(click).sum(axis=1).argmax() == 40


@pytest.mark.filterwarnings("error")
def test_read_only_sound_gives_no_warning() -> None:
    """Decoded sound lies in shared memory, where the parent may not write."""
    waveform = np.zeros(SAMPLES, np.float32)
    waveform.flags.writeable = False
    assert compute_log_mel(waveform).shape == (96, 64)
