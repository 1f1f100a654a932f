"""Video windows, compared with all frames of PyAV put on the grid by a simple search over their timestamps."""

import contextlib
import math
import socket
import threading
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SNIPPET_FRAMES, TIMESTAMP_TOLERANCE_S, FrameSampling, SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media import video
from clip_ae.media.probe import probe_video
from clip_ae.media.readers import FrameReader, read_with_decord, read_with_pyav
from tests.media_files import counter_frame, read_counter, truncated, write_video

GRID = SnippetGrid()


def read_windows(
    path: Path, grid: SnippetGrid = GRID, sampling: FrameSampling = SNIPPET_FRAMES, **options: Any
) -> list[Window]:
    info = VideoInfo(path.stem, path.name, **vars(probe_video(str(path), grid)))
    return list(video.read_video_windows(str(path), info, grid, 64, sampling, **options))


def counters(windows: Sequence[Window]) -> list[int]:
    """Return the number that is drawn on each frame of successive windows."""
    return [read_counter(frame) for window in windows for frame in window.data]


def expected_numbers(path: Path, total: int) -> list[int]:
    """Return, for each grid frame, the last frame whose timestamp has passed."""
    with av.open(str(path)) as container:
        times = np.array(sorted(float(f.pts * f.time_base) for f in container.decode(video=0) if f.pts is not None))
    times -= times[0]
    return [int(np.flatnonzero(times <= j / 25 + TIMESTAMP_TOLERANCE_S)[-1]) for j in range(total)]


CASES: dict[str, dict[str, Any]] = {
    "25.mp4": {},
    "30.mp4": {"fps": 30, "frames": 66},
    "60.mkv": {"fps": 60, "frames": 99},
    "23.976.mp4": {"fps": Fraction(24000, 1001)},
    "23.976.mkv": {"fps": Fraction(24000, 1001)},
    "vfr.mp4": {"pts": [0, 0.04, 0.08, 0.5, 0.6, 0.61, 0.9, 1.3, 2.0]},
    "late.mp4": {"start": 2.5},
    "late.mkv": {"start": 2.5},
    "b-frames.mp4": {"options": {"bf": "3", "b-adapt": "0"}},
    "broadcast.ts": {"options": {"x264-params": "bframes=3"}},
    "flash.flv": {},
    "old.avi": {"codec": "mpeg4"},
    "web.webm": {"codec": "libvpx"},
}


# Formats without an index, which decord does not read.
WITHOUT_INDEX = ("broadcast.ts", "flash.flv")


@pytest.mark.parametrize("name", CASES)
def test_frame_j_is_the_one_on_display_at_its_time(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, **CASES[name])
    windows = read_windows(path)
    numbers = counters(windows)
    assert numbers == expected_numbers(path, len(numbers))
    assert [w.coverage for w in windows[:-1]] == [1.0] * (len(windows) - 1)


@pytest.mark.parametrize("name", CASES)
def test_decord_returns_the_same_frames_or_refuses(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, **{"size": (120, 90), **CASES[name]})
    windows = read_windows(path)
    assert windows[0].data.shape == (16, 64, 86, 3)
    if name in WITHOUT_INDEX:
        with pytest.raises(Unreadable, match="decord cannot read it"):
            read_windows(path, reader=read_with_decord)
        return
    for one, other in zip(windows, read_windows(path, reader=read_with_decord), strict=True):
        assert counters([one]) == counters([other])
        assert np.abs(one.data - other.data.astype(float)).mean() < 2


def test_a_folder_that_is_called_http_is_a_folder_to_both_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """decord would ask the host for such a relative path."""
    callers: list[Any] = []

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, address = server.accept()
                callers.append(address)
                connection.close()

    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=hang_up, daemon=True)
    thread.start()
    folder = f"http:/127.0.0.1:{server.getsockname()[1]}"
    (tmp_path / folder).mkdir(parents=True)
    write_video(tmp_path / folder / "x.mp4", size=(120, 90))
    monkeypatch.chdir(tmp_path)
    try:
        for reader in (read_with_pyav, read_with_decord):
            assert read_windows(Path(folder) / "x.mp4", reader=reader)
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
    assert not callers


@pytest.mark.parametrize("short_side", [64, 96])
@pytest.mark.parametrize("reader", [read_with_pyav, read_with_decord])
def test_frames_are_red_green_blue(tmp_path: Path, reader: FrameReader, short_side: int) -> None:
    colour = (200, 120, 40)
    path = write_video(tmp_path / "x.mp4", 16, draw=lambda _, size: np.full((*size[::-1], 3), colour, np.uint8))
    info = VideoInfo("x", path.name, **vars(probe_video(str(path), GRID)))
    [window] = video.read_video_windows(str(path), info, GRID, short_side, reader=reader)
    assert np.abs(window.data - np.array(colour)).max() <= 4


@pytest.mark.parametrize("short_side", [16, 32, 48, 64])
def test_narrow_frames_have_three_channels(tmp_path: Path, short_side: int) -> None:
    path = write_video(tmp_path / "x.mp4", size=(96, 64))
    info = VideoInfo("x", path.name, **vars(probe_video(str(path), GRID)))
    windows = list(video.read_video_windows(str(path), info, GRID, short_side))
    assert windows[0].data.shape == (16, short_side, short_side * 3 // 2, 3)
    assert counters(windows) == list(range(48))


def test_missing_frames_repeat_the_last_one_and_lower_the_coverage(tmp_path: Path) -> None:
    windows = read_windows(write_video(tmp_path / "x.mp4", frames=26))
    assert [w.coverage for w in windows] == [1.0, 10 / 16]
    assert counters(windows[1:]) == [*range(16, 26), *[25] * 6]


def test_lookahead_contains_the_first_frames_of_the_next_snippet(tmp_path: Path) -> None:
    windows = read_windows(write_video(tmp_path / "x.mp4", frames=32), sampling=FrameSampling(lookahead=2))
    assert [counters([w])[-2:] for w in windows] == [[16, 17], [31, 31]]
    assert [w.coverage for w in windows] == [1.0, 1.0]


def index_naively(grid: SnippetGrid, sampling: FrameSampling, snippet: int, num_frames: int) -> list[int]:
    """Frame numbers of a window, from times: the frame on display in the middle of each part of the window."""
    if sampling.num_frames is None:
        times = [grid.start(snippet) + i / grid.fps for i in range(grid.frames + sampling.lookahead)]
    else:
        length = grid.snippet_s if sampling.window_s is None else round(sampling.window_s * grid.fps) / grid.fps
        # A window that is longer or shorter by an odd number of frames starts half a frame before the exact centre.
        start = math.floor((grid.centre(snippet) - length / 2) * grid.fps + 1e-6) / grid.fps
        times = [start + (i + 0.5) * length / sampling.num_frames for i in range(sampling.num_frames)]
    return [min(max(math.floor(t * grid.fps + 1e-6), 0), num_frames - 1) for t in times]


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("long") / "x.mp4", frames=90)


samplings = st.builds(FrameSampling, st.integers(1, 40), st.none() | st.floats(0.01, 6))


@settings(max_examples=60)
@given(
    grid=st.builds(SnippetGrid, frames=st.integers(1, 20), stride=st.integers(1, 24)),
    sampling=samplings | st.builds(FrameSampling, lookahead=st.integers(0, 3)),
)
def test_a_window_has_the_frames_of_a_naive_indexer(
    long_video: Path, grid: SnippetGrid, sampling: FrameSampling
) -> None:
    """Also before the start and after the end of the video; coverage counts the snippet's own frames."""
    windows = read_windows(long_video, grid, sampling)
    for window in windows:
        assert counters([window]) == index_naively(grid, sampling, window.snippet, 90)
        begin = window.snippet * grid.stride
        assert window.coverage == len(range(begin, min(begin + grid.frames, 90))) / grid.frames
    assert [window.snippet for window in windows] == list(range(len(windows)))


@given(
    st.builds(SnippetGrid, frames=st.integers(1, 20), stride=st.integers(1, 24)),
    samplings | st.builds(FrameSampling, lookahead=st.integers(0, 3)),
)
def test_as_many_windows_are_open_as_counted(grid: SnippetGrid, sampling: FrameSampling) -> None:
    first, last = grid.window_span(sampling.offsets(grid))
    spans = [(k * grid.stride + first, k * grid.stride + last) for k in range(200)]
    num_open = max(sum(begin <= j <= end for begin, end in spans) for j in range(400))
    assert num_open == grid.count_overlapping(sampling.offsets(grid))


@pytest.mark.parametrize(("count", "frames"), [(4, [2, 6, 10, 14]), (1, [8]), (2, [4, 12]), (16, list(range(16)))])
def test_frames_of_a_snippet_are_evenly_spaced(count: int, frames: list[int]) -> None:
    assert list(FrameSampling(count).offsets(GRID)) == frames


def test_frames_of_a_longer_window_are_centred_on_the_snippet() -> None:
    assert FrameSampling(4, 2.56).offsets(GRID) == (-16, 0, 16, 32)


@pytest.mark.parametrize("reader", [read_with_pyav, read_with_decord])
def test_frames_of_a_stated_size_are_not_in_proportion(tmp_path: Path, reader: FrameReader) -> None:
    path = write_video(tmp_path / "x.mp4", size=(120, 90))
    info = VideoInfo("x", path.name, **vars(probe_video(str(path), GRID)))
    windows = list(video.read_video_windows(str(path), info, GRID, (128, 171), reader=reader))
    assert windows[0].data.shape == (16, 128, 171, 3)
    assert counters(windows) == list(range(48))


@pytest.mark.parametrize("stride", [4, 16, 20])
def test_snippets_may_overlap_or_leave_gaps(tmp_path: Path, stride: int) -> None:
    windows = read_windows(write_video(tmp_path / "x.mp4", frames=60), SnippetGrid(stride=stride))
    for window in windows:
        begin = window.snippet * stride
        assert counters([window]) == [min(j, 59) for j in range(begin, begin + 16)]


def test_video_of_one_frame_has_one_window(tmp_path: Path) -> None:
    [window] = read_windows(write_video(tmp_path / "x.mp4", frames=1))
    assert window.coverage == 1 / 16


def test_truncated_file_keeps_its_stated_number_of_windows(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=250, options={"g": "25"}, container={"movflags": "faststart"})
    windows = read_windows(truncated(path, 0.6))
    assert len(windows) == 16
    coverage = [w.coverage for w in windows]
    assert coverage[0] == 1
    assert coverage[-1] == 0
    assert coverage == sorted(coverage, reverse=True)
    # One frame more than was decoded may count as decoded, so the last complete snippet is not checked.
    num_complete = coverage.count(1) - 1
    assert counters(windows[:num_complete]) == list(range(16 * num_complete))


def test_damaged_part_loses_its_own_frames_only(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=200, options={"g": "20"})
    raw = bytearray(path.read_bytes())
    begin, end = raw.find(b"mdat"), raw.find(b"moov")
    middle = slice(begin + (end - begin) * 4 // 10, begin + (end - begin) // 2)
    raw[middle] = np.random.default_rng(0).integers(0, 256, middle.stop - middle.start, np.uint8).tobytes()
    path.write_bytes(raw)
    windows = read_windows(path)
    assert counters(windows[:3]) == list(range(48))
    assert min(w.coverage for w in windows) < 0.5
    assert windows[-2].coverage == 1
    assert counters(windows[-2:-1]) == list(range(176, 192))


def test_undecodable_video_is_black_with_coverage_0(tmp_path: Path) -> None:
    windows = read_windows(write_video(tmp_path / "x.mp4"), reader=lambda *_: iter(()))
    assert [w.coverage for w in windows] == [0, 0, 0]
    assert not any(w.data.any() for w in windows)


def test_rotation_of_a_phone_is_undone(tmp_path: Path) -> None:
    [window, *_] = read_windows(write_video(tmp_path / "x.mp4", rotation=90))
    assert window.data.shape == (16, 96, 64, 3)
    # Turned back clockwise, the bars can be read.
    assert [read_counter(np.rot90(frame, -1)) for frame in window.data] == list(range(16))


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(16, 400))
def test_scale_size_keeps_the_short_side_and_the_aspect_ratio(width: int, height: int, short: int) -> None:
    size = video.scale_size(width, height, short)
    assert min(size) in (short, short - 1)
    assert size[0 if width >= height else 1] % 2 == 0
    assert abs(max(size) / short - max(width, height) / min(width, height)) <= 1 / short + 1e-9


@given(st.integers(0, 4095), st.integers(24, 300))
def test_read_counter_inverts_counter_frame(number: int, width: int) -> None:
    assert read_counter(counter_frame(number, (width, 16))) == number
