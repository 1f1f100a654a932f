"""Untrusted media is opened in a child process alone, which is killed when it hangs, dies or takes too much memory.

Its answers are JSON and raw bytes, never pickles: a decoder that a hostile file has taken over must not reach us.
"""

import json
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np

from clip_ae.core.timeline import Grid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.io import audio, probe, video
from clip_ae.io.container import Unreadable

GIB = 1 << 30
# Seconds for the child to start; libraries may lie on a slow disk.
START = 120.0
PR_SET_PDEATHSIG = 1


class Decoder:
    """The child: started at the first question, again after every death.

    It works ahead of us by one window, which waits in the pipe.
    """

    def __init__(self, watchdog: float = 60.0, memory_gib: float = 4.0) -> None:
        self.watchdog = watchdog
        self.memory = int(memory_gib * GIB)
        self.process: SpawnProcess | None = None
        self.pipe: Connection

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def probe(self, path: Path, grid: Grid) -> probe.Facts:
        self._ask("probe", str(path), grid)
        return probe.Facts(**self._answer()["facts"])

    def video(self, path: Path, info: VideoInfo, grid: Grid, short_side: int, lookahead: int = 0) -> Iterator[Window]:
        """io/video.windows, in the child. Where decord hangs or dies, another child goes on without it."""
        request = (str(path), info, grid, short_side, lookahead)
        done = 0
        try:
            for window in self._windows("video", *request):
                yield window
                done += 1
        except Unreadable as failure:
            if failure.kind not in ("timeout", "crash"):
                raise
            yield from islice(self._windows("video_by_pyav", *request), done, None)

    def audio(self, path: Path, info: VideoInfo, grid: Grid) -> Iterator[Window]:
        """io/audio.windows, in the child."""
        return self._windows("audio", str(path), info, grid)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None

    def _windows(self, *request: Any) -> Iterator[Window]:
        self._ask(*request)
        broken_off = True
        try:
            while "snippet" in (head := self._answer()):
                data = np.empty(head["shape"], head["dtype"])
                self._talk(self.pipe.recv_bytes_into, data.data.cast("B"))
                yield Window(head["snippet"], data, head["coverage"])
            broken_off = False
        except Unreadable:
            # The child has said so itself, or is dead already.
            broken_off = False
            raise
        finally:
            # Whoever stops reading early leaves windows in the pipe.
            if broken_off:
                self.kill()

    def _ask(self, *request: Any) -> None:
        if self.process is None:
            self._start()
        self._talk(self.pipe.send, request)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, os.getpid(), self.memory), daemon=True)
        self.process.start()
        theirs.close()
        self._answer(START)

    def _answer(self, patience: float | None = None) -> dict[str, Any]:
        if not self.pipe.poll(self.watchdog if patience is None else patience):
            self.kill()
            raise Unreadable("timeout", "the decoder gave no answer in time and was ended")
        answer: dict[str, Any] = json.loads(self._talk(self.pipe.recv_bytes))
        if "failure" in answer:
            raise Unreadable(answer["failure"], answer["message"])
        return answer

    def _talk(self, act: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return act(*arguments)
        except (EOFError, OSError):
            raise Unreadable("crash", f"the decoder died{self._cause()}") from None

    def _cause(self) -> str:
        assert self.process is not None
        self.process.join(1)
        code = self.process.exitcode
        self.kill()
        return f" of {signal.Signals(-code).name}" if code and code < 0 else ""


def _serve(pipe: Connection, parent: int, memory: int) -> None:
    """The child's life: one request after another until the pipe closes."""
    _tie_to(parent)
    _load_decoders()
    _limit(memory)
    _say(pipe)
    while True:
        try:
            name, path, *rest = pipe.recv()
            SERVICES[name](pipe, path, *rest)
        except (EOFError, BrokenPipeError):
            return
        except Unreadable as failure:
            _say(pipe, failure=failure.kind, message=str(failure))
        except MemoryError:
            _say(pipe, failure="memory", message="decoding takes more memory than the limit")
        except Exception as error:
            # Whatever a decoder throws at a strange file costs that file alone.
            words = (str(error).splitlines() or [""])[0].replace(path, os.path.basename(path))
            _say(pipe, failure="decode", message=f"{type(error).__name__}: {words}")


def _tie_to(parent: int) -> None:
    """Die with the parent, even by kill -9; leave Ctrl-C to it."""
    import ctypes

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _load_decoders() -> None:
    # decord asks its own thread for the last frames so many times and then gives up: on a busy machine too soon, and
    # the second reader's pixels differ. It may wait for as long as the watchdog lets it.
    os.environ["DECORD_EOF_RETRY_MAX"] = "1000000000"
    import av
    import decord

    av.logging.set_level(av.logging.PANIC)
    decord.logging.set_level(decord.logging.QUIET)


def _limit(memory: int) -> None:
    """Bound the address space beyond what the libraries take by themselves."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # No core files of gigabytes for a decoder that dies as intended.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _say(pipe: Connection, **answer: Any) -> None:
    pipe.send_bytes(json.dumps(answer).encode())


def _probe(pipe: Connection, path: str, grid: Grid) -> None:
    _say(pipe, facts=asdict(probe.probe(path, grid)))


def _stream(read: Callable[..., Iterator[Window]]) -> Callable[..., None]:
    def serve(pipe: Connection, path: str, *rest: Any) -> None:
        for window in read(path, *rest):
            data = np.ascontiguousarray(window.data)
            _say(pipe, snippet=window.snippet, coverage=window.coverage, shape=data.shape, dtype=data.dtype.str)
            pipe.send_bytes(data.data.cast("B"))
        _say(pipe)

    return serve


SERVICES: dict[str, Callable[..., None]] = {
    "probe": _probe,
    "video": _stream(video.windows),
    "video_by_pyav": _stream(partial(video.windows, readers=("pyav",))),
    "audio": _stream(audio.windows),
}
