import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from clip_ae.core.timeline import Grid
from clip_ae.core.types import VideoInfo
from clip_ae.io import audio, video
from clip_ae.io.container import Unreadable
from clip_ae.io.guard import Decoder
from clip_ae.io.probe import probe
from tests.media import write_video

GRID = Grid()


def info_of(path: Path) -> VideoInfo:
    return VideoInfo(path.stem, path.name, **vars(probe(str(path), GRID)))


def test_the_child_gives_what_the_readers_give(tmp_path: Path) -> None:
    path = write_video(tmp_path / "-odd {name}\n.mp4", tone=[440])
    info = info_of(path)
    with Decoder() as decoder:
        assert decoder.probe(path, GRID) == probe(str(path), GRID)
        pairs = [
            (decoder.video(path, info, GRID, 32, 1), video.windows(str(path), info, GRID, 32, 1)),
            (decoder.audio(path, info, GRID), audio.windows(str(path), info, GRID)),
        ]
        for guarded, direct in pairs:
            for one, other in zip(guarded, direct, strict=True):
                assert (one.snippet, one.coverage) == (other.snippet, other.coverage)
                np.testing.assert_array_equal(one.data, other.data)
                assert one.data.flags.writeable


def test_a_decoder_that_hangs_is_killed_and_the_next_video_is_read(tmp_path: Path) -> None:
    good = write_video(tmp_path / "good.mp4")
    # Opening a pipe that nobody writes to blocks for ever.
    os.mkfifo(tmp_path / "hangs.mp4")
    with Decoder(watchdog=1.0) as decoder:
        with pytest.raises(Unreadable) as caught:
            decoder.probe(tmp_path / "hangs.mp4", GRID)
        assert caught.value.kind == "timeout"
        assert decoder.process is None
        assert decoder.probe(good, GRID).frames == 50


def test_a_child_that_dies_midway_is_replaced_and_the_rows_go_on(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=160)
    info = info_of(path)
    with Decoder() as decoder:
        windows = decoder.video(path, info, GRID, 64)
        found = [next(windows)]
        assert decoder.process is not None
        first = decoder.process.pid
        os.kill(first or 0, signal.SIGKILL)
        found.extend(windows)
        assert [w.snippet for w in found] == list(range(10))
        assert all(w.coverage == 1 for w in found)
        assert decoder.process.pid != first


def test_sound_cut_short_by_a_death_is_a_crash(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=500, tone=[440])
    info = info_of(path)
    with Decoder() as decoder:
        windows = decoder.audio(path, info, GRID)
        next(windows)
        assert decoder.process is not None
        os.kill(decoder.process.pid or 0, signal.SIGKILL)
        with pytest.raises(Unreadable, match="SIGKILL") as caught:
            list(windows)
        assert caught.value.kind == "crash"


def test_a_video_that_takes_too_much_memory_costs_itself_alone(tmp_path: Path) -> None:
    large = write_video(tmp_path / "large.mp4", frames=30, size=(640, 360))
    info = info_of(large)
    with Decoder(memory_gib=0.01) as decoder:
        with pytest.raises(Unreadable) as caught:
            list(decoder.video(large, info, GRID, 360))
        assert caught.value.kind in ("memory", "crash")
    with Decoder() as decoder:
        assert len(list(decoder.video(large, info, GRID, 360))) == info.snippets


def test_a_reader_that_stops_early_leaves_nothing_in_the_pipe(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mp4", frames=160)
    with Decoder() as decoder:
        windows = decoder.video(path, info_of(path), GRID, 64)
        next(windows)
        windows.close()  # type: ignore[attr-defined]
        assert decoder.probe(path, GRID).frames == 160


def test_no_decoder_outlives_its_parent(tmp_path: Path) -> None:
    """kill -9 of the parent while the child hangs on a pipe."""
    os.mkfifo(tmp_path / "hangs.mp4")
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from clip_ae.core.timeline import Grid\n"
        "from clip_ae.io.guard import Decoder\n"
        "if __name__ == '__main__':\n"
        "    decoder = Decoder()\n"
        "    decoder._ask('probe', sys.argv[1], Grid())\n"
        "    print(decoder.process.pid, flush=True)\n"
        "    decoder._answer()\n"
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


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
