"""Decoder pool: order of windows, failures, memory, and a clean end when the caller stops early."""

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


class FakeDecoder(Decoder):
    """A decoder without a child process; `hang` waits until it is interrupted."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupted_event = threading.Event()

    def reset(self) -> None:
        pass

    def interrupt(self) -> None:
        self.interrupted_event.set()

    def hang(self) -> None:
        assert self.interrupted_event.wait(30)
        raise Unreadable("crash", "the decoder died")


def infos_of(*snippets: int) -> list[VideoInfo]:
    return [VideoInfo(f"v{i}", f"v{i}.mp4", snippets=count) for i, count in enumerate(snippets)]


def windows(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
    """Yield windows that share one memory, as in the shared buffer; the data are (video, snippet)."""
    memory = np.zeros(2, np.int64)
    for snippet in range(info.snippets):
        memory[:] = int(info.video_id[1:]), snippet
        yield Window(snippet, memory, 1.0)


def copy_window(window: Any) -> Any:
    return window.copy()


@pytest.mark.parametrize("decoders", [1, 3, 9])
def test_windows_come_once_in_order_before_the_end_of_their_video(decoders: int) -> None:
    infos = infos_of(5, 1, 12, 3, 7)
    pool_items = list(DecoderPool(infos, windows, copy_window, [FakeDecoder() for _ in range(decoders)]))
    for index, info in enumerate(infos):
        parts = [part for i, part in pool_items if i == index]
        end = parts.pop()
        assert end == VideoDone()
        assert [(p.snippet, p.data.tolist()) for p in parts] == [(k, [index, k]) for k in range(info.snippets)]  # type: ignore[union-attr]


def test_no_videos_give_no_items() -> None:
    assert list(DecoderPool([], windows, copy_window, [FakeDecoder()])) == []


def test_videos_are_read_in_parallel() -> None:
    """Each waits until the other has started."""
    both_started = threading.Barrier(2)

    def read(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        both_started.wait(20)
        yield from windows(decoder, info)

    assert len(list(DecoderPool(infos_of(2, 2), read, copy_window, [FakeDecoder(), FakeDecoder()]))) == 6


def test_broken_video_ends_with_its_failure_and_affects_no_other() -> None:
    failure = Unreadable("decode", "broken")

    def read(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        yield from windows(decoder, info)
        if info.video_id == "v1":
            raise failure

    pool_items = list(DecoderPool(infos_of(2, 3, 2), read, copy_window, [FakeDecoder(), FakeDecoder()]))
    assert [part.error for index, part in pool_items if isinstance(part, VideoDone) and index == 1] == [failure]
    assert sum(isinstance(part, VideoDone) for _, part in pool_items) == 3
    assert sum(index == 1 for index, _ in pool_items) == 4


def test_windows_without_coverage_are_not_prepared() -> None:
    def read(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        for window in windows(decoder, info):
            yield Window(window.snippet, window.data, 0.5 * (window.snippet % 2))

    prepared: list[int] = []

    def prepare(window: Any) -> Any:
        prepared.append(int(window[1]))
        return window.copy()

    pool_items = list(DecoderPool(infos_of(4), read, prepare, [FakeDecoder()]))
    assert prepared == [1, 3]
    assert [part.data is None for _, part in pool_items[:-1]] == [True, False, True, False]  # type: ignore[union-attr]


def test_bug_in_prepare_is_raised_and_all_threads_end() -> None:
    def prepare(window: Any) -> Any:
        return 1 // (3 - int(window[1]))

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(DecoderPool(infos_of(2, 9, 9), windows, prepare, [FakeDecoder(), FakeDecoder()]))
    assert threading.active_count() == before


@pytest.mark.parametrize("decoders", [1, 3])
def test_readers_wait_when_the_queue_is_full(decoders: int) -> None:
    prepared: list[Any] = []

    def prepare(window: Any) -> Any:
        prepared.append(window)
        return window.copy()

    items = iter(DecoderPool(infos_of(*[100] * decoders), windows, prepare, [FakeDecoder() for _ in range(decoders)]))
    for _ in range(10):
        next(items)
    time.sleep(0.2)
    # Items that were fetched, items in the queue, and one item of each reader.
    assert len(prepared) <= 10 + QUEUE_SIZE * decoders + decoders
    items.close()  # type: ignore[attr-defined]


def test_closing_ends_hanging_and_waiting_readers() -> None:
    def read(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        yield from windows(decoder, info)
        if info.video_id == "v0":
            assert isinstance(decoder, FakeDecoder)
            decoder.hang()

    before = threading.active_count()
    items = iter(DecoderPool(infos_of(1, 1000), read, copy_window, [FakeDecoder(), FakeDecoder()]))
    assert isinstance(next(items), tuple)
    items.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def read_in_child(folder: Path) -> Callable[[Decoder, VideoInfo], Iterator[Window]]:
    return lambda decoder, info: decoder.read_video_windows(folder / info.path, info, GRID, 32)


def test_closing_ends_real_hanging_decoders_within_seconds(tmp_path: Path) -> None:
    """One hangs for the minute of the timeout, and so would its second reader, which starts when it is killed."""
    path = write_video(tmp_path / "good.mp4", frames=160)
    os.mkfifo(tmp_path / "hangs.mp4")
    good = VideoInfo("good", "good.mp4", **vars(probe_video(str(path), GRID)))
    hangs = VideoInfo("hangs", "hangs.mp4", snippets=9, width=96, height=64)
    items = iter(DecoderPool([good, hangs, good], read_in_child(tmp_path), copy_window, [Decoder(), Decoder()]))
    read: list[PoolItem] = []
    while not (read and isinstance(read[-1][1], VideoDone)):
        read.append(next(items))
    start = time.monotonic()
    items.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 20
    assert multiprocessing.active_children() == []
    assert read[-1] == (0, VideoDone())


def test_interrupted_decoders_are_used_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A failed start is an error of the installation then, too, not a failure of a video."""
    path = write_video(tmp_path / "x.mp4")
    info = VideoInfo("x", "x.mp4", **vars(probe_video(str(path), GRID)))

    def read(decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        return decoder.read_video_windows(path, info, GRID, 32)

    decoder = Decoder()
    list(DecoderPool([info], read, np.copy, [decoder]))
    monkeypatch.setattr("clip_ae.media.decoder_process.START_TIMEOUT_S", 0.0)
    with pytest.raises(RuntimeError, match="no decoder can be started"):
        list(DecoderPool([info], read, np.copy, [decoder]))
