import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media import audio
from clip_ae.media.probe import probe_video
from tests.media_files import truncated, write_video

GRID = SnippetGrid()
RATE = 16000
SAMPLES = 15600


def windows(path: Path, grid: SnippetGrid = GRID) -> list[Window]:
    info = VideoInfo(path.stem, path.name, **vars(probe_video(str(path), grid)))
    return list(audio.read_audio_windows(str(path), info, grid))


def tone_of(samples: NDArray[np.generic]) -> tuple[float, float]:
    """(frequency, amplitude) of a lone tone, the former to the nearest bin of a window."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return int(spectrum.argmax()) * RATE / len(samples), float(np.sqrt(2 * np.mean(samples**2)))


def heard(path: Path, **sound: Any) -> tuple[float, float]:
    """The tone in the middle of a video made with this sound."""
    return tone_of(windows(write_video(path, frames=80, **sound))[2].data)


def test_a_window_is_centred_on_its_snippet_and_coverage_speaks_of_the_snippet(tmp_path: Path) -> None:
    found = windows(write_video(tmp_path / "x.mkv", frames=80, tone=[440], sound_codec="pcm_s16le"))
    assert [w.data.shape for w in found] == [(SAMPLES,)] * 5
    assert [w.coverage for w in found] == [1.0] * 5
    before = (SAMPLES - round(0.64 * RATE)) // 2
    assert not found[0].data[:before].any()
    assert np.abs(found[0].data[before : before + 20]).max() > 0.1
    assert tone_of(found[2].data) == pytest.approx((440, 0.5), rel=0.01)


def test_sound_lies_where_the_picture_of_its_time_lies(tmp_path: Path) -> None:
    """Sound that starts 1 s after the first frame, in a file whose clock starts at 2.5 s."""
    path = write_video(tmp_path / "x.mkv", frames=100, start=2.5, tone=[1000], sound_start=3.5, sound_codec="pcm_s16le")
    found = windows(path)
    assert found[0].coverage == 0
    assert found[1].coverage == pytest.approx(0.28 / 0.64, abs=0.01)
    assert found[2].coverage == 1
    begin = GRID.centre(1) - SAMPLES / 2 / RATE
    first = int(np.flatnonzero(np.abs(found[1].data) > 0.1)[0])
    assert begin + first / RATE == pytest.approx(1.0, abs=0.002)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000])
def test_a_sample_keeps_its_time_through_the_resampler(tmp_path: Path, rate: int) -> None:
    path = write_video(tmp_path / "x.mkv", frames=100, tone=[7], sound_rate=rate, sound_codec="pcm_s16le")
    for window in windows(path)[1:-1]:
        t = GRID.centre(window.snippet) + (np.arange(SAMPLES) - SAMPLES // 2) / RATE
        assert np.abs(window.data - 0.5 * np.sin(2 * np.pi * 7 * t)).max() < 0.001


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize("sound", [("mp4", "aac"), ("mkv", "pcm_s16le")], ids=lambda sound: sound[1])
def test_a_tone_keeps_its_frequency_and_loudness_at_any_rate(tmp_path: Path, sound: tuple[str, str], rate: int) -> None:
    suffix, codec = sound
    # The AAC encoder itself is off by more than 1 %.
    tolerance = 0.02 if codec == "aac" else 0.01
    for tone in (100, 3000):
        found = heard(tmp_path / f"{tone}.{suffix}", tone=[tone], sound_rate=rate, sound_codec=codec)
        assert found == pytest.approx((tone, 0.5), rel=tolerance)


@pytest.mark.parametrize(
    ("tone", "amplitude"),
    [
        ([440], 0.5),
        ([440, 440], 0.5),
        ([440, 0], 0.25),
        ([440, 440, 440, 0, 440, 440], 0.5 * 5 / 6),
        ([0, 0, 440, 0, 0, 0], 0.5 / 6),
    ],
)
def test_sound_is_as_loud_as_the_mean_of_its_channels(tmp_path: Path, tone: Sequence[float], amplitude: float) -> None:
    assert heard(tmp_path / "x.mp4", tone=tone) == pytest.approx((440, amplitude), rel=0.01)


def test_eight_channels_are_no_trap(tmp_path: Path) -> None:
    found = heard(tmp_path / "x.mkv", tone=[440, 0] * 4, sound_codec="pcm_s16le")
    assert found == pytest.approx((440, 0.25), rel=0.01)


@pytest.mark.parametrize(("rate", "tone"), [(44100, 8200), (48000, 11000), (96000, 20000), (96000, 40000)])
def test_what_16_khz_cannot_hold_does_not_fold_back(tmp_path: Path, rate: int, tone: float) -> None:
    assert heard(tmp_path / "x.mkv", tone=[tone], sound_rate=rate, sound_codec="pcm_s16le")[1] < 1e-4


@pytest.mark.parametrize("tone", [6500, 7200, 7400, 7581, 7800])
def test_the_highest_tones_fall_off_as_in_the_published_features(tmp_path: Path, tone: float) -> None:
    """resampy's `kaiser_best`, summed up finely: a sinc of 64 zeros to either side under a Kaiser window."""
    z = np.linspace(-64, 64, 200_001)
    rolloff, beta = 0.9475937167399596, 14.769656459379492
    kernel = rolloff * np.sinc(rolloff * z) * np.i0(beta * np.sqrt(1 - (z / 64) ** 2)) / np.i0(beta)
    gain = np.sum(kernel * np.cos(2 * np.pi * tone / RATE * z)) * (z[1] - z[0])
    found = heard(tmp_path / "x.mkv", tone=[tone], sound_codec="pcm_s16le")
    assert found[1] == pytest.approx(0.5 * gain, abs=1e-3)


def test_sound_that_ends_early_is_silence_without_coverage(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=100, tone=[440], sound_seconds=1.6, sound_codec="pcm_s16le")
    coverage = [w.coverage for w in windows(path)]
    assert coverage == pytest.approx([1, 1, 0.5, 0, 0, 0], abs=0.01)


def test_sound_that_outlasts_the_picture_adds_no_window(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=48, tone=[440], sound_seconds=5.0, sound_codec="pcm_s16le")
    found = windows(path)
    assert [w.coverage for w in found] == [1, 1, 1]
    assert tone_of(found[2].data)[1] == pytest.approx(0.5, rel=0.01)


def test_silence_is_covered_and_missing_sound_is_not(tmp_path: Path) -> None:
    for name, sound in {"silent": {"tone": [0]}, "missing": {"tone": [440], "sound_seconds": 0.0}}.items():
        path = write_video(tmp_path / f"{name}.mkv", sound_codec="pcm_s16le", **sound)
        assert probe_video(str(path), GRID).has_audio
        found = windows(path)
        assert [w.coverage for w in found] == [float(name == "silent")] * 3
        assert not any(w.data.any() for w in found)


def test_a_silent_film_has_windows_all_the_same(tmp_path: Path) -> None:
    found = windows(write_video(tmp_path / "x.mp4"))
    assert [(w.snippet, w.coverage) for w in found] == [(0, 0), (1, 0), (2, 0)]
    assert not any(w.data.any() for w in found)


def test_a_snippet_longer_than_the_window_counts_its_whole_span(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=128, tone=[440], sound_seconds=3.2, sound_codec="pcm_s16le")
    assert [w.coverage for w in windows(path, SnippetGrid(frames=64, stride=64))] == pytest.approx([1, 0.25], abs=0.01)


def test_a_gap_in_the_timestamps_is_a_gap_in_the_sound(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=100, tone=[440], sound_gap=(1.28, 1.92), sound_codec="pcm_s16le")
    coverage = [w.coverage for w in windows(path)]
    assert coverage == pytest.approx([1, 1, 0, 1, 1, 1], abs=0.07)


def test_a_truncated_file_has_the_sound_of_its_first_part(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=250, tone=[440], container={"movflags": "faststart"})
    coverage = [w.coverage for w in windows(truncated(path, 0.5))]
    assert len(coverage) == 16
    assert coverage[0] > 0.9
    assert coverage[-1] == 0


def test_loudness_is_that_of_the_snippet_alone(tmp_path: Path) -> None:
    """A tone of half the full scale has a mean square of 1/8; the window reaches past it into silence."""
    found = windows(write_video(tmp_path / "x.mkv", frames=80, tone=[440], sound_codec="pcm_s16le"))
    assert [w.loudness for w in found] == pytest.approx([10 * np.log10(0.125)] * 5, abs=0.02)
    silent = windows(write_video(tmp_path / "s.mkv", frames=80, tone=[0], sound_codec="pcm_s16le"))
    assert [w.loudness for w in silent] == [audio.SILENCE_DB] * 5


def test_loudness_of_a_snippet_that_is_heard_in_part_is_that_of_the_part(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=100, start=2.5, tone=[1000], sound_start=3.5, sound_codec="pcm_s16le")
    found = windows(path)
    assert 0 < found[1].coverage < 1
    assert found[1].loudness == pytest.approx(10 * np.log10(0.125), abs=0.05)


def test_sound_before_the_picture_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be hours."""
    kept: list[weakref.ref[Any]] = []

    def placed(*_: Any) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for number in range(-100, 10):
            piece = np.ones(RATE, np.float32)
            kept.append(weakref.ref(piece))
            assert sum(ref() is not None for ref in kept) <= 3
            yield number * RATE, piece

    monkeypatch.setattr(audio, "decode_audio", placed)
    monkeypatch.setattr(audio, "scan_packets", lambda _: SimpleNamespace(start_time=0.0))
    found = list(audio.read_audio_windows("x", VideoInfo("x", "x", snippets=5, has_audio=True), GRID))
    assert [w.coverage for w in found] == [1.0] * 5
