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

from clip_ae.core.errors import Unreadable, UserError
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media import audio, video
from clip_ae.media.decoder_process import Decoder, create_decoders
from clip_ae.media.probe import probe_video
from clip_ae.media.shared_buffer import SlotSpec
from tests.media_files import write_video

GRID = SnippetGrid()


def info_of(path: Path, grid: SnippetGrid = GRID) -> VideoInfo:
    return VideoInfo(path.stem, path.name, **vars(probe_video(str(path), grid)))


def assert_same(found: Iterable[Window], wanted: Iterable[Window]) -> int:
    """One by one, as the ring's slots are used again; how many there are."""
    count = 0
    for one, other in zip(found, wanted, strict=True):
        assert (one.snippet, one.coverage, one.loudness) == (other.snippet, other.coverage, other.loudness)
        np.testing.assert_array_equal(one.data, other.data)
        count += 1
    return count


def test_the_child_gives_what_the_readers_give(tmp_path: Path) -> None:
    path = write_video(tmp_path / "-odd {name}\n.mp4", tone=[440])
    info = info_of(path)
    with Decoder() as decoder:
        assert decoder.probe_video(path, GRID) == probe_video(str(path), GRID)
        pairs = [
            (
                decoder.read_video_windows(path, info, GRID, 32, 1),
                video.read_video_windows(str(path), info, GRID, 32, 1),
            ),
            (decoder.read_audio_windows(path, info, GRID), audio.read_audio_windows(str(path), info, GRID)),
        ]
        for guarded, direct in pairs:
            assert assert_same(guarded, direct) == info.snippets


@pytest.mark.parametrize("lookahead", [0, 1])
@pytest.mark.parametrize("stride", [2, 4, 16, 20])
def test_any_grid_through_fewer_slots_than_windows(tmp_path: Path, stride: int, lookahead: int) -> None:
    """Windows that overlap, touch, or leave frames out, each with its frames where the ring has turned round."""
    grid = SnippetGrid(stride=stride)
    path = write_video(tmp_path / "x.mp4", frames=300)
    info = info_of(path, grid)
    assert info.snippets > SlotSpec((), "u1", grid.count_overlapping(lookahead)).num_slots
    with Decoder(decoder_timeout_s=20) as decoder:
        found = decoder.read_video_windows(path, info, grid, 32, lookahead)
        assert assert_same(found, video.read_video_windows(str(path), info, grid, 32, lookahead)) == info.snippets


def test_a_decoder_works_ahead_no_further_than_its_slots(tmp_path: Path) -> None:
    """The window in our hands stays whole while the child fills all the other slots."""
    path = write_video(tmp_path / "x.mp4", frames=480)
    info = info_of(path)
    with Decoder() as decoder:
        windows = decoder.read_video_windows(path, info, GRID, 32)
        first = next(windows)
        kept, memory = first.data.copy(), first.data
        _settle(lambda: _has_word(decoder))
        time.sleep(0.3)
        np.testing.assert_array_equal(first.data, kept)
        later = [np.shares_memory(window.data, memory) for window in windows]
        assert later.index(True) == SlotSpec((), "u1").num_slots - 1


def test_a_decoder_that_hangs_is_killed_and_the_next_video_is_read(tmp_path: Path) -> None:
    good = write_video(tmp_path / "good.mp4")
    # Opening a pipe that nobody writes to blocks for ever.
    os.mkfifo(tmp_path / "hangs.mp4")
    with Decoder(decoder_timeout_s=1.0) as decoder:
        with pytest.raises(Unreadable) as caught:
            decoder.probe_video(tmp_path / "hangs.mp4", GRID)
        assert caught.value.kind == "timeout"
        assert decoder.process is None
        assert decoder.probe_video(good, GRID).frames == 50


@pytest.mark.parametrize("taken", [1, 4])
def test_a_child_that_dies_midway_is_replaced_and_the_rows_go_on(tmp_path: Path, taken: int) -> None:
    """It dies with windows in its slots that it has told us of and we have not looked at."""
    path = write_video(tmp_path / "x.mp4", frames=160)
    info, found = info_of(path), []
    with Decoder() as decoder:
        windows = decoder.read_video_windows(path, info, GRID, 64)
        for window in windows:
            found.append(Window(window.snippet, window.data.copy(), window.coverage))
            if len(found) == taken:
                _settle(lambda: _has_word(decoder))
                first = _strike(decoder)
        assert assert_same(found, video.read_video_windows(str(path), info, GRID, 64, 0)) == 10
        assert decoder.process is not None
        assert decoder.process.pid != first


def test_another_child_reads_by_decord(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=320)
    with Decoder() as decoder:
        loaded = []
        for _ in decoder.read_video_windows(path, info_of(path), GRID, 64):
            assert decoder.process is not None
            loaded.append("decord" in Path(f"/proc/{decoder.process.pid}/maps").read_text())
            if len(loaded) == 1:
                _strike(decoder)
        # What the first had read ahead is shown before the second is asked.
        assert loaded == sorted(loaded)
        assert (loaded[0], loaded[-1]) == (False, True)


def test_where_decord_cannot_help_the_first_failure_is_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.flv", frames=320)
    with Decoder() as decoder:
        windows = decoder.read_video_windows(path, info_of(path), GRID, 64)
        next(windows)
        _strike(decoder)
        with pytest.raises(Unreadable, match="SIGKILL") as caught:
            list(windows)
        assert caught.value.kind == "crash"
        assert decoder.probe_video(path, GRID).frames == 320


def test_sound_cut_short_by_a_death_is_a_crash(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=500, tone=[440])
    info = info_of(path)
    with Decoder() as decoder:
        windows = decoder.read_audio_windows(path, info, GRID)
        next(windows)
        _strike(decoder)
        with pytest.raises(Unreadable, match="SIGKILL") as caught:
            list(windows)
        assert caught.value.kind == "crash"


def test_a_video_that_takes_too_much_memory_costs_itself_alone(tmp_path: Path) -> None:
    large = write_video(tmp_path / "large.mp4", frames=30, size=(640, 360))
    info = info_of(large)
    with Decoder(decoder_memory_gib=0.01) as decoder:
        with pytest.raises(Unreadable) as caught:
            list(decoder.read_video_windows(large, info, GRID, 360))
        assert caught.value.kind in ("memory", "crash")
    with Decoder() as decoder:
        assert len(list(decoder.read_video_windows(large, info, GRID, 360))) == info.snippets


def test_a_reader_that_stops_early_leaves_nothing_in_the_pipe(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=160)
    with Decoder() as decoder:
        windows = decoder.read_video_windows(path, info_of(path), GRID, 64)
        next(windows)
        windows.close()  # type: ignore[attr-defined]
        assert decoder.probe_video(path, GRID).frames == 160
        assert len(list(decoder.read_video_windows(path, info_of(path), GRID, 64))) == 10


def test_another_thread_ends_a_decoder_at_any_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hangs.mp4")
    decoder, failures = Decoder(), []
    decoder.interrupt()

    def ask() -> None:
        try:
            decoder.probe_video(tmp_path / "hangs.mp4", GRID)
        except Unreadable as failure:
            failures.append(failure.kind)

    thread = threading.Thread(target=ask)
    thread.start()
    while thread.is_alive():
        decoder.interrupt()
        thread.join(0.001)
    assert failures == ["crash"]
    assert decoder.process is None


def test_a_decoder_leaves_nothing_behind(tmp_path: Path) -> None:
    """No process, no thread, no open file, no named memory, whether it ends by itself or is killed."""
    path = write_video(tmp_path / "x.mp4", frames=160)
    info = info_of(path)

    def traces() -> tuple[int, int, int, list[str]]:
        files, shared = len(os.listdir("/proc/self/fd")), sorted(os.listdir("/dev/shm"))
        return len(multiprocessing.active_children()), threading.active_count(), files, shared

    # Python's own watcher of named memory starts with the first child and stays.
    with Decoder() as decoder:
        decoder.probe_video(path, GRID)
    # What earlier tests left to the collector goes now, not in between.
    gc.collect()
    before = traces()
    for stop in (None, 2):
        with Decoder() as decoder:
            for window in decoder.read_video_windows(path, info, GRID, 64):
                if window.snippet == stop:
                    _strike(decoder)
        del window  # it lies in the ring
    # Tests beside this one have named memory of their own, for a moment.
    _settle(lambda: traces() == before)
    assert traces() == before


def test_no_decoder_outlives_its_parent(tmp_path: Path) -> None:
    """kill -9 of the parent while the child hangs on a pipe."""
    os.mkfifo(tmp_path / "hangs.mp4")
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from clip_ae.core.timeline import SnippetGrid\n"
        "from clip_ae.media.decoder_process import Decoder\n"
        "if __name__ == '__main__':\n"
        "    decoder = Decoder()\n"
        "    decoder._send_request('probe', sys.argv[1], SnippetGrid())\n"
        "    print(decoder.process.pid, flush=True)\n"
        "    decoder._receive(dict)\n"
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
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(child)


@pytest.mark.parametrize(
    "answer",
    [b"\xff{", b"[1]", b"{}", b'{"facts": {"duration": "long"}}', b'{"failure": "x"}', b'{"facts": ' + b"[" * 60000],
)
def test_a_child_that_talks_nonsense_is_ended(answer: bytes) -> None:
    """As one that a hostile file has taken over may."""
    done: list[str] = []
    decoder = Decoder(decoder_timeout_s=20)
    decoder.pipe, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    decoder.shared_buffer = SimpleNamespace(close=lambda: done.append("closed"))  # type: ignore[assignment]
    decoder.process = SimpleNamespace(  # type: ignore[assignment]
        kill=lambda: done.append("killed"), join=lambda *_: done.append("joined"), exitcode=None
    )
    theirs.send(answer)
    with pytest.raises(Unreadable) as caught:
        decoder.probe_video(Path("x.mp4"), GRID)
    assert caught.value.kind == "crash"
    assert done == ["killed", "joined", "closed"]
    theirs.close()


def _strike(decoder: Decoder) -> int:
    """kill -9 of the child; who it was."""
    assert decoder.process is not None
    child = decoder.process.pid or 0
    os.kill(child, signal.SIGKILL)
    return child


def _has_word(decoder: Decoder) -> bool:
    return bool(select.select([decoder.pipe], [], [], 0)[0])


def _settle(ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not ready() and time.monotonic() < deadline:
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_at_least_one_decoder_reads() -> None:
    assert len(create_decoders(3, 60, 4)) == 3
    with pytest.raises(UserError, match="--num-workers 0: at least one"):
        create_decoders(0, 60, 4)


def test_av_stays_silent_by_itself() -> None:
    """A log level that is set makes FFmpeg's threads wait for the GIL: on damaged files, now and then, for ever."""
    code = "import av; from clip_ae.media.decoder_service import _load_av; _load_av(); print(av.logging.get_level())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "None"
