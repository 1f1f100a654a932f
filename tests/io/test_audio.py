from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_ae.core.timeline import Grid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.io import audio
from clip_ae.io.probe import probe
from tests.media import truncated, write_video

GRID = Grid()
RATE = 16000


def windows(path: Path, grid: Grid = GRID) -> list[Window]:
    info = VideoInfo(path.stem, path.name, **vars(probe(str(path), grid)))
    return list(audio.windows(str(path), info, grid))


def tone_of(samples: NDArray[np.generic]) -> tuple[float, float]:
    """(frequency, amplitude) of a lone tone, the former to the nearest bin of a window."""
    spectrum = np.abs(np.fft.rfft(samples))
    return int(spectrum.argmax()) * RATE / len(samples), float(np.sqrt(2 * np.mean(samples**2)))


def test_a_window_is_centred_on_its_snippet_and_coverage_speaks_of_the_snippet(tmp_path: Path) -> None:
    found = windows(write_video(tmp_path / "x.mkv", frames=80, tone=[440], sound_codec="pcm_s16le"))
    assert [w.data.shape for w in found] == [(15360,)] * 5
    assert [w.coverage for w in found] == [1.0] * 5
    before = round((0.96 - 0.64) / 2 * RATE)
    assert not found[0].data[: before - 1].any()
    assert tone_of(found[2].data) == pytest.approx((440, 0.5), abs=2 * RATE / 15360)


def test_sound_lies_where_the_picture_of_its_time_lies(tmp_path: Path) -> None:
    """Sound that starts 1 s after the first frame, in a file whose clock starts at 2.5 s."""
    path = write_video(tmp_path / "x.mkv", frames=100, start=2.5, tone=[1000], sound_start=3.5, sound_codec="pcm_s16le")
    found = windows(path)
    assert found[0].coverage == 0
    assert found[1].coverage == pytest.approx(0.28 / 0.64, abs=0.01)
    assert found[2].coverage == 1
    begin = GRID.centre(1) - 0.48
    first = int(np.flatnonzero(np.abs(found[1].data) > 0.1)[0])
    assert begin + first / RATE == pytest.approx(1.0, abs=0.002)


def test_a_sample_keeps_its_time_through_the_resampler(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=100, tone=[7], sound_codec="pcm_s16le")
    for window in windows(path)[1:-1]:
        t = GRID.centre(window.snippet) - 0.48 + np.arange(15360) / RATE
        assert np.abs(window.data - 0.5 * np.sin(2 * np.pi * 7 * t)).max() < 0.01


@pytest.mark.parametrize(("tone", "amplitude"), [([440], 0.5), ([440, 440], 0.5), ([440, 0], 0.25)])
def test_stereo_is_as_loud_as_the_mean_of_its_channels(tmp_path: Path, tone: Sequence[float], amplitude: float) -> None:
    found = windows(write_video(tmp_path / "x.mp4", frames=80, tone=tone))
    assert tone_of(found[2].data)[1] == pytest.approx(amplitude, abs=0.02)


def test_what_16_khz_cannot_hold_does_not_fold_back(tmp_path: Path) -> None:
    found = windows(write_video(tmp_path / "x.mkv", frames=80, tone=[11000], sound_codec="pcm_s16le"))
    assert np.abs(found[2].data).max() < 0.01


def test_sound_that_ends_early_is_silence_without_coverage(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=100, tone=[440], sound_seconds=1.6, sound_codec="pcm_s16le")
    coverage = [w.coverage for w in windows(path)]
    assert coverage == pytest.approx([1, 1, 0.5, 0, 0, 0], abs=0.01)


def test_a_silent_film_has_windows_all_the_same(tmp_path: Path) -> None:
    found = windows(write_video(tmp_path / "x.mp4"))
    assert [(w.snippet, w.coverage) for w in found] == [(0, 0), (1, 0), (2, 0)]
    assert not any(w.data.any() for w in found)


def test_a_snippet_longer_than_the_window_counts_its_whole_span(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=128, tone=[440], sound_seconds=3.2, sound_codec="pcm_s16le")
    assert [w.coverage for w in windows(path, Grid(frames=64, stride=64))] == pytest.approx([1, 0.25], abs=0.01)


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
