"""Videos read side by side, each by a decoder of its own, and prepared where they are read."""

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

# Windows that wait to be fetched, for each decoder.
QUEUE_SIZE = 4
ReadWindows = Callable[[Decoder, VideoInfo], Iterator[Window]]
PrepareWindow = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class PreparedWindow:
    """What an encoder makes of a window; nothing of one that nothing covers."""

    snippet: int
    coverage: float
    data: NDArray[Any] | None
    loudness: float | None = None


@dataclass(frozen=True)
class VideoDone:
    """A video's last word: why there is no more of it, or nothing."""

    error: Unreadable | None = None


# A video's place in the list, and what came of it.
PoolItem = tuple[int, PreparedWindow | VideoDone]


class DecoderPool:
    """Iterate it: every video's windows in order, then its end; windows of several videos come interleaved.

    A few windows wait to be fetched, so memory stays flat however long a video is.
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
            ended = 0
            while ended < len(self.infos):
                message = self.results.get()
                if isinstance(message, BaseException):
                    raise message
                ended += isinstance(message[1], VideoDone)
                yield message
        finally:
            self._stop(threads)

    def _work(self, decoder: Decoder) -> None:
        try:
            while not self.stopped.is_set() and (index := self._next()) is not None:
                for part in self._parts(decoder, self.infos[index]):
                    self.results.put((index, part))
                    if self.stopped.is_set():
                        return
        except BaseException as error:  # a mistake of ours, to be raised where the feed is read
            self.results.put(error)
        finally:
            decoder.kill()

    def _next(self) -> int | None:
        with contextlib.suppress(Empty):
            return self.pending_videos.get_nowait()
        return None

    def _parts(self, decoder: Decoder, info: VideoInfo) -> Iterator[PreparedWindow | VideoDone]:
        try:
            for window in self.read_windows(decoder, info):
                data = self.prepare(window.data) if window.coverage > 0 else None
                yield PreparedWindow(window.snippet, window.coverage, data, window.loudness)
        except Unreadable as failure:
            yield VideoDone(failure)
        else:
            yield VideoDone()

    def _stop(self, threads: Sequence[threading.Thread]) -> None:
        """Whoever reads no further leaves threads that wait for room, or for their decoders."""
        self.stopped.set()
        while any(thread.is_alive() for thread in threads):
            # Again and again: a decoder that was just starting, or that goes on with its second reader, is missed once.
            for decoder in self.decoders:
                decoder.interrupt()
            while not self.results.empty():
                self.results.get()
            time.sleep(0.01)
