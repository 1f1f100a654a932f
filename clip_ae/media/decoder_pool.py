"""Decode several videos in parallel: one thread and one decoder process each. The thread also prepares the windows."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, Queue, SimpleQueue
from typing import Any

from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media.decoder_process import Decoder

# Prepared windows that may wait in the queue, for each decoder.
QUEUE_SIZE = 4
ReadWindows = Callable[[Decoder, VideoInfo], Iterator[Window]]
PrepareWindow = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class PreparedWindow:
    """A window after the encoder's `prepare`; data is None if nothing of the window was decoded (coverage 0)."""

    snippet: int
    coverage: float
    data: NDArray[Any] | None
    loudness: float | None = None


@dataclass(frozen=True)
class VideoDone:
    """The end of a video; `error` is the reason if it could not be read to its end."""

    error: Unreadable | None = None


# A video's position in the list, and one of its windows or its end.
PoolItem = tuple[int, PreparedWindow | VideoDone]


class DecoderPool:
    """Iterate over the prepared windows of all videos.

    The windows of one video come in order, then its VideoDone. Windows of different videos come interleaved.
    The queue is short, so memory does not grow with the length of a video.
    """

    def __init__(
        self, infos: Sequence[VideoInfo], read_windows: ReadWindows, prepare: PrepareWindow, decoders: Sequence[Decoder]
    ) -> None:
        self.infos, self.read_windows, self.prepare = infos, read_windows, prepare
        self.decoders = decoders[: len(infos)]
        self.pending_videos: SimpleQueue[int] = SimpleQueue()
        self.results: Queue[PoolItem | BaseException] = Queue(QUEUE_SIZE * len(decoders))
        self.stopped = threading.Event()

    def __iter__(self) -> Iterator[PoolItem]:
        for index in range(len(self.infos)):
            self.pending_videos.put(index)
        for decoder in self.decoders:
            decoder.reset()
        threads = [threading.Thread(target=self._work, args=(decoder,), daemon=True) for decoder in self.decoders]
        for thread in threads:
            thread.start()
        try:
            yield from self._collect_results()
        finally:
            self._stop(threads)

    def _collect_results(self) -> Iterator[PoolItem]:
        num_done = 0
        while num_done < len(self.infos):
            result = self.results.get()
            if isinstance(result, BaseException):
                raise result
            num_done += isinstance(result[1], VideoDone)
            yield result

    def _work(self, decoder: Decoder) -> None:
        """Read videos until none is pending; the body of a thread."""
        try:
            while not self.stopped.is_set() and (index := self._next_video()) is not None:
                for result in self._read_video(decoder, self.infos[index]):
                    self.results.put((index, result))
                    if self.stopped.is_set():
                        return
        except BaseException as error:  # a bug, not a broken video: raise it in the thread that iterates
            self.results.put(error)
        finally:
            decoder.kill()

    def _next_video(self) -> int | None:
        with contextlib.suppress(Empty):
            return self.pending_videos.get_nowait()
        return None

    def _read_video(self, decoder: Decoder, info: VideoInfo) -> Iterator[PreparedWindow | VideoDone]:
        try:
            for window in self.read_windows(decoder, info):
                data = self.prepare(window.data) if window.coverage > 0 else None
                yield PreparedWindow(window.snippet, window.coverage, data, window.loudness)
        except Unreadable as failure:
            yield VideoDone(failure)
        else:
            yield VideoDone()

    def _stop(self, threads: Sequence[threading.Thread]) -> None:
        """End all threads. If the caller stops early, they wait for space in the queue or for their decoders."""
        self.stopped.set()
        while any(thread.is_alive() for thread in threads):
            # Repeat: one interrupt misses a decoder that is starting, or that switches to its second reader.
            for decoder in self.decoders:
                decoder.interrupt()
            while not self.results.empty():
                self.results.get()
            time.sleep(0.01)
