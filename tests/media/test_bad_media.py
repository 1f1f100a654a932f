"""Damaged and unusual videos are read as tests/media/bad_media.py states, alone and together in one folder."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_ae.core.config.schema import Runtime
from clip_ae.core.config.specs import ProbeSpec
from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SNIPPET_FRAMES, FrameSampling, SnippetGrid
from clip_ae.core.types import FrameSize, VideoFeatures, VideoInfo, Window
from clip_ae.data.parquet import read_rows
from clip_ae.media import video
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.probe import probe_video
from clip_ae.media.readers import FrameReader, read_with_decord, read_with_pyav
from clip_ae.pipeline.extraction import FeatureExtractor
from clip_ae.stages import probe as probe_stage
from tests.media.bad_media import BROKEN, CASES, FULL_AUDIO, WITH_AUDIO
from tests.media_files import read_counter, write_video

GRID = SnippetGrid()
SHORT_SIDE = 72
# Seconds after which a hanging decoder is ended.
TIMEOUT_S = 2.0


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name, case in CASES.items():
        case.make(folder / name)
    for name, (make, _) in BROKEN.items():
        make(folder / name)
    return folder


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    """One decoder for all files: no file may affect the next one."""
    with Decoder() as decoder:
        yield decoder


def info_of(decoder: Decoder, path: Path) -> VideoInfo:
    return VideoInfo(path.stem, path.name, **vars(decoder.probe_video(path, GRID)))


def numbers(frames: NDArray[np.uint8], quarter_turns: int = 0) -> list[int]:
    return [read_counter(np.rot90(frame, -quarter_turns)) for frame in frames]


def amplitude_of(samples: NDArray[np.float32]) -> float:
    """Return the amplitude of a single tone."""
    return float(np.sqrt(2 * np.mean(samples**2)))


@pytest.mark.parametrize("name", CASES)
def test_frames_and_their_coverage(videos: Path, decoder: Decoder, name: str) -> None:
    case, path = CASES[name], videos / name
    info = info_of(decoder, path)
    assert (info.snippets, info.width, info.height) == (len(case.video_coverage), *case.size)
    assert (info.status, info.reason) == ("partial" if case.reason else "ok", case.reason)
    coverage, frame_numbers = [], []
    for window in decoder.read_video_windows(path, info, GRID, SHORT_SIDE):
        coverage.append(window.coverage)
        frame_numbers += numbers(window.data, case.quarter_turns)
    assert coverage == list(case.video_coverage)
    assert frame_numbers == list(case.frame_numbers)


@pytest.mark.parametrize("name", CASES)
def test_audio_and_its_coverage(videos: Path, decoder: Decoder, name: str) -> None:
    case, path = CASES[name], videos / name
    coverage, amplitudes = [], []
    for window in decoder.read_audio_windows(path, info_of(decoder, path), GRID):
        coverage.append(window.coverage)
        amplitudes.append(amplitude_of(window.data))
    assert coverage == pytest.approx(list(case.audio_coverage), abs=0.05)
    # The second of three windows reaches into its neighbours, and no further.
    if case.audio_coverage == FULL_AUDIO:
        assert amplitudes[1] == pytest.approx(case.amplitude, rel=0.03)


@pytest.mark.parametrize("name", BROKEN)
def test_file_without_video_is_refused_with_its_kind(videos: Path, name: str) -> None:
    with Decoder(Runtime(decoder_timeout_s=TIMEOUT_S)) as decoder:
        with pytest.raises(Unreadable) as caught:
            decoder.probe_video(videos / name, GRID)
        assert caught.value.kind == BROKEN[name][1]
        assert "\n" not in str(caught.value)
        assert str(videos) not in str(caught.value)


def test_file_without_read_permission_is_refused(tmp_path: Path, decoder: Decoder) -> None:
    path = write_video(tmp_path / "x.mp4")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(Unreadable) as caught:
        decoder.probe_video(path, GRID)
    assert caught.value.kind == "permission"


def test_writing_test_videos_keeps_the_process_priority(tmp_path: Path) -> None:
    before = os.sched_getscheduler(0)
    CASES["av1.mp4"].make(tmp_path / "av1.mp4")
    assert os.sched_getscheduler(0) == before


def grey_frame(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.full((size[1], size[0], 3), 200, np.uint8)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv444p", "yuvj444p", "yuv420p10le"])
@pytest.mark.parametrize("reader", [read_with_pyav, read_with_decord])
def test_brightness_does_not_depend_on_range_and_depth(tmp_path: Path, pix_fmt: str, reader: FrameReader) -> None:
    path = write_video(tmp_path / "x.mp4", frames=16, pix_fmt=pix_fmt, draw=grey_frame)
    info = VideoInfo("x", path.name, **vars(probe_video(str(path), GRID)))
    [window] = video.read_video_windows(str(path), info, GRID, SHORT_SIDE, reader=reader)
    assert window.coverage == 1
    assert np.abs(window.data.astype(int) - 200).max() <= 4


def test_4k_video_takes_little_more_memory_than_a_small_one(videos: Path) -> None:
    """Frames are resized inside the decoder; as RGB, 16 of 3840 x 2160 take 380 MiB."""
    peaks = []
    for name in ("matroska.mkv", "4k.mp4"):
        with Decoder() as decoder:
            list(decoder.read_video_windows(videos / name, info_of(decoder, videos / name), GRID, SHORT_SIDE))
            peaks.append(peak_memory_mib(decoder))
    assert peaks[1] - peaks[0] < 120


def test_long_video_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    """Frames are not read ahead without limit: these 4000 are 89 MiB."""
    peaks = []
    for frames in (400, 4000):
        path = write_video(tmp_path / f"{frames}.mp4", frames=frames)
        with Decoder() as decoder:
            for _ in decoder.read_video_windows(path, info_of(decoder, path), GRID, SHORT_SIDE):
                pass
            peaks.append(peak_memory_mib(decoder))
    assert peaks[1] - peaks[0] < 15


def peak_memory_mib(decoder: Decoder) -> int:
    """Return the peak memory of the child in MiB."""
    assert decoder.process is not None
    status = Path(f"/proc/{decoder.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def with_signals(
    decoder: Decoder, windows: Iterator[Window], signal_number: signal.Signals, children: int = 2
) -> Iterator[Window]:
    """Yield windows; send a signal to `children` children, one after another, after their first window."""
    signalled: set[int | None] = set()
    for window in windows:
        yield window
        assert decoder.process is not None
        if decoder.process.pid not in signalled and len(signalled) < children:
            signalled.add(decoder.process.pid)
            os.kill(decoder.process.pid or 0, signal_number)


FAILURE_OF_SIGNAL = {signal.SIGSTOP: "timeout", signal.SIGKILL: "crash", signal.SIGSEGV: "crash"}


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video with many more windows than a child reads ahead."""
    return write_video(tmp_path_factory.mktemp("long") / "x.mp4", frames=320, **WITH_AUDIO)


@pytest.mark.parametrize("signal_number", FAILURE_OF_SIGNAL)
def test_one_hang_or_death_loses_no_frame(long: Path, signal_number: signal.Signals) -> None:
    with Decoder(Runtime(decoder_timeout_s=TIMEOUT_S)) as decoder:
        windows = decoder.read_video_windows(long, info_of(decoder, long), GRID, SHORT_SIDE)
        frame_numbers = [
            number for window in with_signals(decoder, windows, signal_number, 1) for number in numbers(window.data)
        ]
        assert frame_numbers == list(range(320))


@pytest.mark.parametrize("signal_number", FAILURE_OF_SIGNAL)
def test_second_hang_or_death_ends_this_video_only(videos: Path, long: Path, signal_number: signal.Signals) -> None:
    with Decoder(Runtime(decoder_timeout_s=TIMEOUT_S)) as decoder:
        windows = decoder.read_video_windows(long, info_of(decoder, long), GRID, SHORT_SIDE)
        frame_numbers: list[int] = []
        with pytest.raises(Unreadable) as caught:
            for window in with_signals(decoder, windows, signal_number):
                frame_numbers += numbers(window.data)
        assert caught.value.kind == FAILURE_OF_SIGNAL[signal_number]
        assert 32 <= len(frame_numbers) < 320
        assert frame_numbers == list(range(len(frame_numbers)))
        assert decoder.probe_video(videos / "matroska.mkv", GRID).frames == 48


@pytest.mark.parametrize("signal_number", FAILURE_OF_SIGNAL)
def test_first_hang_or_death_ends_the_audio(long: Path, signal_number: signal.Signals) -> None:
    with Decoder(Runtime(decoder_timeout_s=TIMEOUT_S)) as decoder:
        windows = decoder.read_audio_windows(long, info_of(decoder, long), GRID)
        with pytest.raises(Unreadable) as caught:
            list(with_signals(decoder, windows, signal_number))
        assert caught.value.kind == FAILURE_OF_SIGNAL[signal_number]


class Fragile(Decoder):
    """A decoder whose child hangs or dies in the middle of some videos, with either reader."""

    names: ClassVar = {"hangs": signal.SIGSTOP, "dies": signal.SIGSEGV}

    def read_video_windows(
        self,
        path: Path,
        info: VideoInfo,
        grid: SnippetGrid,
        frame_size: FrameSize,
        sampling: FrameSampling = SNIPPET_FRAMES,
    ) -> Iterator[Window]:
        return self._with_signals(path, super().read_video_windows(path, info, grid, frame_size, sampling))

    def read_audio_windows(self, path: Path, info: VideoInfo, grid: SnippetGrid) -> Iterator[Window]:
        return self._with_signals(path, super().read_audio_windows(path, info, grid))

    def _with_signals(self, path: Path, windows: Iterator[Window]) -> Iterator[Window]:
        return with_signals(self, windows, self.names[path.stem]) if path.stem in self.names else windows


@dataclass
class FrameNumberEncoder:
    """An encoder whose feature is (number on the first frame, number on the last)."""

    frame_size: int | None = SHORT_SIDE
    sampling: FrameSampling = SNIPPET_FRAMES
    dim: int = 2

    def prepare(self, window: NDArray[Any]) -> NDArray[np.float32]:
        return np.array(numbers(window[[0, -1]]), np.float32)

    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return batch


class AmplitudeEncoder(FrameNumberEncoder):
    def prepare(self, window: NDArray[Any]) -> NDArray[np.float32]:
        return np.full(2, amplitude_of(window), np.float32)


class FixedBatches:
    """Runs the encoder in batches that contain windows of several videos."""

    def choose_batch_size(self, window: NDArray[Any]) -> int:
        return 32

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(batch, np.float32)


@dataclass(frozen=True)
class Folder:
    """A folder of all videos, and its rows and failures of the stage probe."""

    path: Path
    infos: list[VideoInfo]
    failures: dict[str, str]

    def extract(self, encoder: FrameNumberEncoder) -> tuple[dict[str, VideoFeatures], dict[str, str]]:
        """Return the features and the kinds of failures, by video."""
        decoders = [Fragile(Runtime(decoder_timeout_s=TIMEOUT_S)) for _ in range(2)]
        work = FeatureExtractor("rgb", GRID, encoder, FixedBatches(), self.path, decoders)
        whole = [info for info in self.infos if info.status != "failed"]
        rows = {v.video_id: v for v in work.extract(whole)}
        assert list(rows) == [info.video_id for info in whole]
        assert [len(v.coverage) for v in rows.values()] == [info.snippets for info in whole]
        return rows, {failure.video_id: failure.kind for failure in work.failures}


@pytest.fixture(scope="module")
def folder(videos: Path, long: Path) -> Folder:
    for name in Fragile.names:
        (videos / f"{name}.mp4").symlink_to(long)
    write_video(videos / "directory.mp4" / "inside.mp4")
    table, failures = videos.parent / "probe.parquet", videos.parent / "failures.parquet"
    probe_stage.run(
        ProbeSpec(),
        videos=videos,
        shard="0000-of-0001",
        out=table,
        failures=failures,
        runtime=Runtime(decoder_timeout_s=TIMEOUT_S),
    )
    infos = [VideoInfo(**row) for row in read_rows(table)]
    return Folder(videos, infos, {row["video_id"]: row["kind"] for row in read_rows(failures)})


def kinds_by_stem(kinds: dict[str, str]) -> dict[str, str]:
    return {Path(name).stem: kind for name, kind in kinds.items()}


def test_probe_of_the_folder_has_a_row_for_each_and_failures_of_the_bad(folder: Folder) -> None:
    listed = {*CASES, *BROKEN, "hangs.mp4", "dies.mp4", "directory.mp4/inside.mp4"} - {"directory.mp4"}
    assert {info.path for info in folder.infos} == listed
    broken = {name: kind for name, (_, kind) in BROKEN.items() if name in listed}
    assert folder.failures == kinds_by_stem(broken | {name: "partial" for name, case in CASES.items() if case.reason})


def test_video_features_of_the_folder(folder: Folder) -> None:
    features, failures = folder.extract(FrameNumberEncoder())
    for name, case in CASES.items():
        rows = features[Path(name).stem]
        assert rows.coverage.tolist() == list(case.video_coverage), name
        if not case.quarter_turns:
            first, last = case.frame_numbers[::16], case.frame_numbers[15::16]
            assert rows.feature.tolist() == [
                [a, b] if coverage else [0, 0] for a, b, coverage in zip(first, last, case.video_coverage, strict=True)
            ], name
    for name in Fragile.names:
        rows = features[name]
        done = int(rows.coverage.sum())
        assert 2 <= done < 20
        assert rows.coverage.tolist() == [1] * done + [0] * (20 - done)
        assert rows.feature[:done].tolist() == [[16 * k, 16 * k + 15] for k in range(done)]
    assert failures == {
        "hangs": "timeout",
        "dies": "crash",
        "cut-faststart": "partial",
        "cut-matroska": "partial",
        "cut-avi": "partial",
        "hollow": "partial",
        "overclaiming": "partial",
        "reversed": "partial",
    }


def test_audio_features_of_the_folder(folder: Folder) -> None:
    features, failures = folder.extract(AmplitudeEncoder(frame_size=None))
    for name, case in CASES.items():
        rows = features[Path(name).stem]
        assert rows.coverage.tolist() == pytest.approx(list(case.audio_coverage), abs=0.05), name
        if case.audio_coverage == FULL_AUDIO:
            assert rows.feature[1].tolist() == pytest.approx([case.amplitude] * 2, rel=0.03), name
    assert failures == {
        "hangs": "timeout",
        "dies": "crash",
        "no-sound-in-track": "partial",
        "sound-shorter": "partial",
        "sound-2-s-before": "partial",
        "sound-2-s-before-too": "partial",
    }
