import gc
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from clip_ae.core.config.schema import Runtime
from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SNIPPET_FRAMES, FrameSampling, SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media import audio, video
from clip_ae.media.decoder_process import Decoder, create_decoders
from clip_ae.media.probe import probe_video
from clip_ae.media.shared_buffer import SlotSpec
from tests.media_files import write_video

GRID = SnippetGrid()
FLOW_FRAMES = FrameSampling(lookahead=1)


def info_of(path: Path, grid: SnippetGrid = GRID) -> VideoInfo:
    return VideoInfo(path.stem, path.name, **vars(probe_video(str(path), grid)))


def assert_same_windows(actual: Iterable[Window], expected: Iterable[Window]) -> int:
    """Compare one by one, as slots are used again; return the number of windows."""
    count = 0
    for one, other in zip(actual, expected, strict=True):
        assert (one.snippet, one.coverage, one.loudness) == (other.snippet, other.coverage, other.loudness)
        np.testing.assert_array_equal(one.data, other.data)
        count += 1
    return count


def test_child_process_returns_the_same_windows_as_the_readers(tmp_path: Path) -> None:
    path = write_video(tmp_path / "-odd {name}\n.mp4", tone=[440])
    info = info_of(path)
    with Decoder() as decoder:
        assert decoder.probe_video(path, GRID) == probe_video(str(path), GRID)
        pairs = [
            (
                decoder.read_video_windows(path, info, GRID, 32, FLOW_FRAMES),
                video.read_video_windows(str(path), info, GRID, 32, FLOW_FRAMES),
            ),
            (decoder.read_audio_windows(path, info, GRID), audio.read_audio_windows(str(path), info, GRID)),
        ]
        for from_child, direct in pairs:
            assert assert_same_windows(from_child, direct) == info.snippets


@pytest.mark.parametrize("sampling", [SNIPPET_FRAMES, FLOW_FRAMES, FrameSampling(4, 2.0)])
@pytest.mark.parametrize("stride", [2, 4, 16, 20])
def test_any_grid_works_with_fewer_slots_than_windows(tmp_path: Path, stride: int, sampling: FrameSampling) -> None:
    """Windows overlap, touch, or leave frames out; their frames are correct after a slot was used again."""
    grid = SnippetGrid(stride=stride)
    path = write_video(tmp_path / "x.mp4", frames=300)
    info = info_of(path, grid)
    assert info.snippets > SlotSpec((), "u1", grid.count_overlapping(sampling.offsets(grid))).num_slots
    with Decoder(Runtime(decoder_timeout_s=20)) as decoder:
        windows = decoder.read_video_windows(path, info, grid, 32, sampling)
        assert (
            assert_same_windows(windows, video.read_video_windows(str(path), info, grid, 32, sampling)) == info.snippets
        )


def test_decoder_reads_ahead_at_most_its_number_of_slots(tmp_path: Path) -> None:
    """The window in use does not change while the child fills all other slots."""
    path = write_video(tmp_path / "x.mp4", frames=480)
    info = info_of(path)
    with Decoder() as decoder:
        windows = decoder.read_video_windows(path, info, GRID, 32)
        first = next(windows)
        expected, memory = first.data.copy(), first.data
        _wait_until(lambda: _has_message(decoder))
        time.sleep(0.3)
        np.testing.assert_array_equal(first.data, expected)
        later = [np.shares_memory(window.data, memory) for window in windows]
        assert later.index(True) == SlotSpec((), "u1").num_slots - 1


def test_hanging_decoder_is_killed_and_the_next_video_is_read(tmp_path: Path) -> None:
    good = write_video(tmp_path / "good.mp4")
    # Opening a pipe without a writer blocks for ever.
    os.mkfifo(tmp_path / "hangs.mp4")
    with Decoder(Runtime(decoder_timeout_s=1.0)) as decoder:
        with pytest.raises(Unreadable) as caught:
            decoder.probe_video(tmp_path / "hangs.mp4", GRID)
        assert caught.value.kind == "timeout"
        assert decoder.process is None
        assert decoder.probe_video(good, GRID).frames == 50


@pytest.mark.parametrize("num_read", [1, 4])
def test_dead_child_is_replaced_and_reading_continues(tmp_path: Path, num_read: int) -> None:
    """It dies with windows in its slots that it has announced and that are not read yet."""
    path = write_video(tmp_path / "x.mp4", frames=160)
    info, copies = info_of(path), []
    with Decoder() as decoder:
        windows = decoder.read_video_windows(path, info, GRID, 64)
        for window in windows:
            copies.append(Window(window.snippet, window.data.copy(), window.coverage))
            if len(copies) == num_read:
                _wait_until(lambda: _has_message(decoder))
                first_pid = _kill_child(decoder)
        assert assert_same_windows(copies, video.read_video_windows(str(path), info, GRID, 64)) == 10
        assert decoder.process is not None
        assert decoder.process.pid != first_pid


def test_second_child_reads_with_decord(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=320)
    with Decoder() as decoder:
        is_decord_loaded = []
        for _ in decoder.read_video_windows(path, info_of(path), GRID, 64):
            assert decoder.process is not None
            is_decord_loaded.append("decord" in Path(f"/proc/{decoder.process.pid}/maps").read_text())
            if len(is_decord_loaded) == 1:
                _kill_child(decoder)
        # Windows that the first child had read ahead come before those of the second.
        assert is_decord_loaded == sorted(is_decord_loaded)
        assert (is_decord_loaded[0], is_decord_loaded[-1]) == (False, True)


def test_first_failure_is_reported_if_decord_cannot_read_the_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.flv", frames=320)
    with Decoder() as decoder:
        windows = decoder.read_video_windows(path, info_of(path), GRID, 64)
        next(windows)
        _kill_child(decoder)
        with pytest.raises(Unreadable, match="SIGKILL") as caught:
            list(windows)
        assert caught.value.kind == "crash"
        assert decoder.probe_video(path, GRID).frames == 320


def test_death_while_reading_audio_is_a_crash(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=500, tone=[440])
    info = info_of(path)
    with Decoder() as decoder:
        windows = decoder.read_audio_windows(path, info, GRID)
        next(windows)
        _kill_child(decoder)
        with pytest.raises(Unreadable, match="SIGKILL") as caught:
            list(windows)
        assert caught.value.kind == "crash"


def test_video_above_the_memory_limit_fails_alone(tmp_path: Path) -> None:
    large = write_video(tmp_path / "large.mp4", frames=30, size=(640, 360))
    info = info_of(large)
    with Decoder(Runtime(decoder_memory_gib=0.01)) as decoder:
        with pytest.raises(Unreadable) as caught:
            list(decoder.read_video_windows(large, info, GRID, 360))
        assert caught.value.kind in ("memory", "crash")
    with Decoder() as decoder:
        assert len(list(decoder.read_video_windows(large, info, GRID, 360))) == info.snippets


def test_stopping_early_leaves_no_message_in_the_pipe(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=160)
    with Decoder() as decoder:
        windows = decoder.read_video_windows(path, info_of(path), GRID, 64)
        next(windows)
        windows.close()  # type: ignore[attr-defined]
        assert decoder.probe_video(path, GRID).frames == 160
        assert len(list(decoder.read_video_windows(path, info_of(path), GRID, 64))) == 10


def test_another_thread_can_interrupt_a_decoder_at_any_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hangs.mp4")
    decoder, failures = Decoder(), []
    decoder.interrupt()

    def probe() -> None:
        try:
            decoder.probe_video(tmp_path / "hangs.mp4", GRID)
        except Unreadable as failure:
            failures.append(failure.kind)

    thread = threading.Thread(target=probe)
    thread.start()
    while thread.is_alive():
        decoder.interrupt()
        thread.join(0.001)
    assert failures == ["crash"]
    assert decoder.process is None


def test_decoder_releases_all_resources(tmp_path: Path) -> None:
    """No process, thread, open file or named memory remains, whether it ends by itself or is killed."""
    path = write_video(tmp_path / "x.mp4", frames=160)
    info = info_of(path)

    def count_resources() -> tuple[int, int, int, list[str]]:
        files, shared = len(os.listdir("/proc/self/fd")), sorted(os.listdir("/dev/shm"))
        return len(multiprocessing.active_children()), threading.active_count(), files, shared

    # Python's resource tracker starts with the first child and stays.
    with Decoder() as decoder:
        decoder.probe_video(path, GRID)
    # Collect the garbage of earlier tests now, not between the two counts.
    gc.collect()
    before = count_resources()
    for stop in (None, 2):
        with Decoder() as decoder:
            for window in decoder.read_video_windows(path, info, GRID, 64):
                if window.snippet == stop:
                    _kill_child(decoder)
        del window  # its data are in the shared buffer
    # Tests in parallel processes may have named memory for a moment.
    _wait_until(lambda: count_resources() == before)
    assert count_resources() == before


def test_decoder_ends_with_its_parent_process(tmp_path: Path) -> None:
    """kill -9 of the parent while the child hangs on a pipe."""
    os.mkfifo(tmp_path / "hangs.mp4")
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from clip_ae.core.timeline import SNIPPET_FRAMES, FrameSampling, SnippetGrid\n"
        "from clip_ae.media.decoder_process import Decoder\n"
        # Without a check of __name__: a script is not imported again in the child.
        "decoder = Decoder()\n"
        "decoder._send_request('probe', sys.argv[1], SnippetGrid())\n"
        "print(decoder.process.pid, flush=True)\n"
        "decoder._receive(dict)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "hangs.mp4")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while _is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _is_running(child)


@pytest.mark.parametrize(
    "answer",
    [b"\xff{", b"[1]", b"{}", b'{"facts": {"duration": "long"}}', b'{"failure": "x"}', b'{"facts": ' + b"[" * 60000],
)
def test_child_with_an_invalid_answer_is_ended(answer: bytes) -> None:
    """A hostile file may have taken over the child."""
    calls: list[str] = []
    decoder = Decoder(Runtime(decoder_timeout_s=20))
    decoder.pipe, child_pipe = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    decoder.shared_buffer = SimpleNamespace(close=lambda: calls.append("closed"))  # type: ignore[assignment]
    decoder.process = SimpleNamespace(  # type: ignore[assignment]
        kill=lambda: calls.append("killed"), wait=lambda *_: calls.append("joined")
    )
    child_pipe.send(answer)
    with pytest.raises(Unreadable) as caught:
        decoder.probe_video(Path("x.mp4"), GRID)
    assert caught.value.kind == "crash"
    assert calls == ["killed", "joined", "closed"]
    child_pipe.close()


def _kill_child(decoder: Decoder) -> int:
    """kill -9 of the child; return its pid."""
    assert decoder.process is not None
    pid = decoder.process.pid or 0
    os.kill(pid, signal.SIGKILL)
    return pid


def _has_message(decoder: Decoder) -> bool:
    return bool(select.select([decoder.pipe], [], [], 0)[0])


def _wait_until(ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not ready() and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_create_decoders_follows_the_settings() -> None:
    decoders = create_decoders(Runtime(num_workers=3, decoder_timeout_s=7, decoder_memory_gib=2))
    assert [(d.timeout_s, d.memory_bytes) for d in decoders] == [(7, 2 << 30)] * 3


def test_av_log_level_is_not_set() -> None:
    """With a log level FFmpeg's threads wait for the GIL: on damaged files, now and then, for ever."""
    code = "import av; from clip_ae.media.decoder_service import _load_av; _load_av(); print(av.logging.get_level())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "None"
