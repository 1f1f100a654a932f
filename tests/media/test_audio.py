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


def read_windows(path: Path, grid: SnippetGrid = GRID) -> list[Window]:
    info = VideoInfo(path.stem, path.name, **vars(probe_video(str(path), grid)))
    return list(audio.read_audio_windows(str(path), info, grid))


def measure_tone(samples: NDArray[np.generic]) -> tuple[float, float]:
    """Return (frequency, amplitude) of a single tone; the frequency is that of the nearest bin of a window."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return int(spectrum.argmax()) * RATE / len(samples), float(np.sqrt(2 * np.mean(samples**2)))


def measure_written_tone(path: Path, **sound: Any) -> tuple[float, float]:
    """Write a video with this audio and return the tone in its middle."""
    return measure_tone(read_windows(write_video(path, frames=80, **sound))[2].data)


def test_window_is_centred_on_its_snippet_and_coverage_is_of_the_snippet(tmp_path: Path) -> None:
    windows = read_windows(write_video(tmp_path / "x.mkv", frames=80, tone=[440], sound_codec="pcm_s16le"))
    assert [w.data.shape for w in windows] == [(SAMPLES,)] * 5
    assert [w.coverage for w in windows] == [1.0] * 5
    before = (SAMPLES - round(0.64 * RATE)) // 2
    assert not windows[0].data[:before].any()
    assert np.abs(windows[0].data[before : before + 20]).max() > 0.1
    assert measure_tone(windows[2].data) == pytest.approx((440, 0.5), rel=0.01)


def test_audio_is_aligned_with_the_frames_of_its_time(tmp_path: Path) -> None:
    """Sound that starts 1 s after the first frame, in a file whose clock starts at 2.5 s."""
    path = write_video(tmp_path / "x.mkv", frames=100, start=2.5, tone=[1000], sound_start=3.5, sound_codec="pcm_s16le")
    windows = read_windows(path)
    assert windows[0].coverage == 0
    assert windows[1].coverage == pytest.approx(0.28 / 0.64, abs=0.01)
    assert windows[2].coverage == 1
    begin = GRID.centre(1) - SAMPLES / 2 / RATE
    first = int(np.flatnonzero(np.abs(windows[1].data) > 0.1)[0])
    assert begin + first / RATE == pytest.approx(1.0, abs=0.002)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000])
def test_resampler_keeps_the_time_of_samples(tmp_path: Path, rate: int) -> None:
    path = write_video(tmp_path / "x.mkv", frames=100, tone=[7], sound_rate=rate, sound_codec="pcm_s16le")
    for window in read_windows(path)[1:-1]:
        t = GRID.centre(window.snippet) + (np.arange(SAMPLES) - SAMPLES // 2) / RATE
        assert np.abs(window.data - 0.5 * np.sin(2 * np.pi * 7 * t)).max() < 0.001


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize("sound", [("mp4", "aac"), ("mkv", "pcm_s16le")], ids=lambda sound: sound[1])
def test_a_tone_keeps_its_frequency_and_loudness_at_any_rate(tmp_path: Path, sound: tuple[str, str], rate: int) -> None:
    suffix, codec = sound
    # The AAC encoder itself is off by more than 1 %.
    tolerance = 0.02 if codec == "aac" else 0.01
    for tone in (100, 3000):
        measured = measure_written_tone(tmp_path / f"{tone}.{suffix}", tone=[tone], sound_rate=rate, sound_codec=codec)
        assert measured == pytest.approx((tone, 0.5), rel=tolerance)


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
def test_mono_is_the_mean_of_the_channels(tmp_path: Path, tone: Sequence[float], amplitude: float) -> None:
    assert measure_written_tone(tmp_path / "x.mp4", tone=tone) == pytest.approx((440, amplitude), rel=0.01)


def test_eight_channels_are_read(tmp_path: Path) -> None:
    measured = measure_written_tone(tmp_path / "x.mkv", tone=[440, 0] * 4, sound_codec="pcm_s16le")
    assert measured == pytest.approx((440, 0.25), rel=0.01)


@pytest.mark.parametrize(("rate", "tone"), [(44100, 8200), (48000, 11000), (96000, 20000), (96000, 40000)])
def test_tones_above_8_khz_are_not_aliased(tmp_path: Path, rate: int, tone: float) -> None:
    assert measure_written_tone(tmp_path / "x.mkv", tone=[tone], sound_rate=rate, sound_codec="pcm_s16le")[1] < 1e-4


@pytest.mark.parametrize("tone", [6500, 7200, 7400, 7581, 7800])
def test_highest_tones_have_the_gain_of_the_published_resampler(tmp_path: Path, tone: float) -> None:
    """resampy's `kaiser_best`, by numerical integration: a sinc with 64 zeros to either side and a Kaiser window."""
    z = np.linspace(-64, 64, 200_001)
    rolloff, beta = 0.9475937167399596, 14.769656459379492
    kernel = rolloff * np.sinc(rolloff * z) * np.i0(beta * np.sqrt(1 - (z / 64) ** 2)) / np.i0(beta)
    gain = np.sum(kernel * np.cos(2 * np.pi * tone / RATE * z)) * (z[1] - z[0])
    measured = measure_written_tone(tmp_path / "x.mkv", tone=[tone], sound_codec="pcm_s16le")
    assert measured[1] == pytest.approx(0.5 * gain, abs=1e-3)


def test_audio_that_ends_early_is_silence_without_coverage(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=100, tone=[440], sound_seconds=1.6, sound_codec="pcm_s16le")
    coverage = [w.coverage for w in read_windows(path)]
    assert coverage == pytest.approx([1, 1, 0.5, 0, 0, 0], abs=0.01)


def test_audio_longer_than_the_video_adds_no_window(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=48, tone=[440], sound_seconds=5.0, sound_codec="pcm_s16le")
    windows = read_windows(path)
    assert [w.coverage for w in windows] == [1, 1, 1]
    assert measure_tone(windows[2].data)[1] == pytest.approx(0.5, rel=0.01)


def test_silence_has_coverage_and_missing_audio_has_none(tmp_path: Path) -> None:
    for name, sound in {"silent": {"tone": [0]}, "missing": {"tone": [440], "sound_seconds": 0.0}}.items():
        path = write_video(tmp_path / f"{name}.mkv", sound_codec="pcm_s16le", **sound)
        assert probe_video(str(path), GRID).has_audio
        windows = read_windows(path)
        assert [w.coverage for w in windows] == [float(name == "silent")] * 3
        assert not any(w.data.any() for w in windows)


def test_video_without_audio_has_windows_of_coverage_0(tmp_path: Path) -> None:
    windows = read_windows(write_video(tmp_path / "x.mp4"))
    assert [(w.snippet, w.coverage) for w in windows] == [(0, 0), (1, 0), (2, 0)]
    assert not any(w.data.any() for w in windows)


def test_coverage_of_a_snippet_longer_than_the_window_is_of_the_whole_snippet(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=128, tone=[440], sound_seconds=3.2, sound_codec="pcm_s16le")
    assert [w.coverage for w in read_windows(path, SnippetGrid(frames=64, stride=64))] == pytest.approx(
        [1, 0.25], abs=0.01
    )


def test_gap_in_the_timestamps_is_a_gap_in_the_audio(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=100, tone=[440], sound_gap=(1.28, 1.92), sound_codec="pcm_s16le")
    coverage = [w.coverage for w in read_windows(path)]
    assert coverage == pytest.approx([1, 1, 0, 1, 1, 1], abs=0.07)


def test_truncated_file_has_the_audio_of_its_first_part(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=250, tone=[440], container={"movflags": "faststart"})
    coverage = [w.coverage for w in read_windows(truncated(path, 0.5))]
    assert len(coverage) == 16
    assert coverage[0] > 0.9
    assert coverage[-1] == 0


def test_loudness_is_of_the_snippet_only(tmp_path: Path) -> None:
    """A tone of half the full scale has a mean square of 1/8; the window reaches past it into silence."""
    windows = read_windows(write_video(tmp_path / "x.mkv", frames=80, tone=[440], sound_codec="pcm_s16le"))
    assert [w.loudness for w in windows] == pytest.approx([10 * np.log10(0.125)] * 5, abs=0.02)
    silent = read_windows(write_video(tmp_path / "s.mkv", frames=80, tone=[0], sound_codec="pcm_s16le"))
    assert [w.loudness for w in silent] == [audio.SILENCE_DB] * 5


def test_loudness_ignores_the_part_of_a_snippet_without_audio(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=100, start=2.5, tone=[1000], sound_start=3.5, sound_codec="pcm_s16le")
    windows = read_windows(path)
    assert 0 < windows[1].coverage < 1
    assert windows[1].loudness == pytest.approx(10 * np.log10(0.125), abs=0.05)


def test_audio_before_the_video_is_dropped_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be hours of it."""
    references: list[weakref.ref[Any]] = []

    def decode_pieces(*_: Any) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for number in range(-100, 10):
            piece = np.ones(RATE, np.float32)
            references.append(weakref.ref(piece))
            assert sum(ref() is not None for ref in references) <= 3
            yield number * RATE, piece

    monkeypatch.setattr(audio, "decode_audio", decode_pieces)
    monkeypatch.setattr(audio, "scan_packets", lambda _: SimpleNamespace(start_time=0.0))
    windows = list(audio.read_audio_windows("x", VideoInfo("x", "x", snippets=5, has_audio=True), GRID))
    assert [w.coverage for w in windows] == [1.0] * 5


@pytest.mark.parametrize(
    ("samples", "loudness"),
    [
        ([1.0, -1.0], 0.0),
        ([0.1, -0.1, 0.1], -20.0),
        ([0.0, 0.0], audio.SILENCE_DB),
        ([1e-9], audio.SILENCE_DB),
        ([], audio.SILENCE_DB),
    ],
)
def test_measure_loudness_is_the_mean_power_in_db_of_full_scale(samples: list[float], loudness: float) -> None:
    assert audio.measure_loudness(np.array(samples, np.float32)) == pytest.approx(loudness, abs=1e-5)
