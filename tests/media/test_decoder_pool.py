"""Videos read side by side: order, failures, memory, and an end whenever nobody reads on."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media.decoder_pool import QUEUE_SIZE, DecoderPool, PoolItem, VideoDone
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.probe import probe_video
from tests.media_files import write_video

GRID = SnippetGrid()


class Idle(Decoder):
    """No child; `hang` waits until the decoder is ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = threading.Event()

    def reset(self) -> None:
        pass

    def interrupt(self) -> None:
        self.ended.set()

    def hang(self) -> None:
        assert self.ended.wait(30)
        raise Unreadable("crash", "the decoder died")


def infos_of(*snippets: int) -> list[VideoInfo]:
    return [VideoInfo(f"v{i}", f"v{i}.mp4", snippets=count) for i, count in enumerate(snippets)]


def windows(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
    """One memory for all windows of a video, as in a ring; the data tell video and snippet."""
    memory = np.zeros(2, np.int64)
    for snippet in range(info.snippets):
        memory[:] = int(info.video_id[1:]), snippet
        yield Window(snippet, memory, 1.0)


def copied(window: Any) -> Any:
    return window.copy()


@pytest.mark.parametrize("decoders", [1, 3, 9])
def test_every_window_comes_once_in_its_video_s_order_before_its_end(decoders: int) -> None:
    infos = infos_of(5, 1, 12, 3, 7)
    found = list(DecoderPool(infos, windows, copied, [Idle() for _ in range(decoders)]))
    for index, info in enumerate(infos):
        parts = [part for i, part in found if i == index]
        end = parts.pop()
        assert end == VideoDone()
        assert [(p.snippet, p.data.tolist()) for p in parts] == [(k, [index, k]) for k in range(info.snippets)]  # type: ignore[union-attr]


def test_no_video_is_no_work() -> None:
    assert list(DecoderPool([], windows, copied, [Idle()])) == []


def test_videos_are_read_at_the_same_time() -> None:
    """Each waits for the other to have begun."""
    meeting = threading.Barrier(2)

    def read(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        meeting.wait(20)
        yield from windows(decoder, info)

    assert len(list(DecoderPool(infos_of(2, 2), read, copied, [Idle(), Idle()]))) == 6


def test_a_broken_video_ends_with_its_failure_and_costs_no_other() -> None:
    failure = Unreadable("decode", "broken")

    def read(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        yield from windows(decoder, info)
        if info.video_id == "v1":
            raise failure

    found = list(DecoderPool(infos_of(2, 3, 2), read, copied, [Idle(), Idle()]))
    assert [part.error for index, part in found if isinstance(part, VideoDone) and index == 1] == [failure]
    assert sum(isinstance(part, VideoDone) for _, part in found) == 3
    assert sum(index == 1 for index, _ in found) == 4


def test_what_nothing_covers_is_not_prepared() -> None:
    def read(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        for window in windows(decoder, info):
            yield Window(window.snippet, window.data, 0.5 * (window.snippet % 2))

    prepared: list[int] = []

    def prepare(window: Any) -> Any:
        prepared.append(int(window[1]))
        return window.copy()

    found = list(DecoderPool(infos_of(4), read, prepare, [Idle()]))
    assert prepared == [1, 3]
    assert [part.data is None for _, part in found[:-1]] == [True, False, True, False]  # type: ignore[union-attr]


def test_a_mistake_of_ours_surfaces_as_itself_and_everything_ends() -> None:
    def prepare(window: Any) -> Any:
        return 1 // (3 - int(window[1]))

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(DecoderPool(infos_of(2, 9, 9), windows, prepare, [Idle(), Idle()]))
    assert threading.active_count() == before


@pytest.mark.parametrize("decoders", [1, 3])
def test_readers_wait_where_nobody_fetches(decoders: int) -> None:
    prepared: list[Any] = []

    def prepare(window: Any) -> Any:
        prepared.append(window)
        return window.copy()

    feed = iter(DecoderPool(infos_of(*[100] * decoders), windows, prepare, [Idle() for _ in range(decoders)]))
    for _ in range(10):
        next(feed)
    time.sleep(0.2)
    # What was fetched, what waits in the queue, and one in the hands of each reader.
    assert len(prepared) <= 10 + QUEUE_SIZE * decoders + decoders
    feed.close()  # type: ignore[attr-defined]


def test_a_reader_that_hangs_is_ended_with_those_that_wait_for_room() -> None:
    def read(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        yield from windows(decoder, info)
        if info.video_id == "v0":
            assert isinstance(decoder, Idle)
            decoder.hang()

    before = threading.active_count()
    feed = iter(DecoderPool(infos_of(1, 1000), read, copied, [Idle(), Idle()]))
    assert isinstance(next(feed), tuple)
    feed.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def guarded(folder: Path) -> Callable[[Decoder, VideoInfo], Iterator[Window]]:
    return lambda decoder, info: decoder.read_video_windows(folder / info.path, info, GRID, 32)


def test_real_decoders_that_hang_end_within_seconds(tmp_path: Path) -> None:
    """One hangs for the watchdog's minute, and so would its second reader that takes over when it is killed."""
    path = write_video(tmp_path / "good.mp4", frames=160)
    os.mkfifo(tmp_path / "hangs.mp4")
    good = VideoInfo("good", "good.mp4", **vars(probe_video(str(path), GRID)))
    hangs = VideoInfo("hangs", "hangs.mp4", snippets=9, width=96, height=64)
    feed = iter(DecoderPool([good, hangs, good], guarded(tmp_path), copied, [Decoder(), Decoder()]))
    ended: list[PoolItem] = []
    while not (ended and isinstance(ended[-1][1], VideoDone)):
        ended.append(next(feed))
    began = time.monotonic()
    feed.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 20
    assert multiprocessing.active_children() == []
    assert ended[-1] == (0, VideoDone())


def test_readers_that_were_ended_are_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A start that fails is then no video's fault, as it was not the first time."""
    path = write_video(tmp_path / "x.mp4")
    info = VideoInfo("x", "x.mp4", **vars(probe_video(str(path), GRID)))

    def read(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        return decoder.read_video_windows(path, info, GRID, 32)

    decoder = Decoder()
    list(DecoderPool([info], read, np.copy, [decoder]))
    monkeypatch.setattr("clip_ae.media.decoder_process.START_TIMEOUT_S", 0.0)
    with pytest.raises(RuntimeError, match="no decoder can be started"):
        list(DecoderPool([info], read, np.copy, [decoder]))
