"""Untrusted media is opened in a child process alone, which is killed when it hangs, dies or takes too much memory.

Its answers are JSON and pixels in shared memory, never pickles, and come whole or not at all: a decoder that a hostile
file has taken over must neither reach us nor make us wait.
"""

import json
import multiprocessing
import os
import pickle
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.errors import Unreadable, UserError
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media import audio, cut, probe, video
from clip_ae.media.readers import read_with_decord
from clip_ae.media.shared_buffer import SharedBuffer, SlotSpec

GIB = 1 << 30
T = TypeVar("T")
# Seconds for the child to start; libraries may lie on a slow disk.
START_TIMEOUT_S = 120.0
PR_SET_PDEATHSIG = 1
# We say this when we are done with a window.
WINDOW_DONE = b"done"
# Bytes of the longest message; what a file makes its decoder say is cut to as many characters.
MAX_MESSAGE_BYTES, MAX_ERROR_CHARS = 1 << 16, 1000


def create_decoders(count: int, decoder_timeout_s: float, decoder_memory_gib: float) -> list["Decoder"]:
    """As many as read side by side; none is started before it has something to do."""
    if count < 1:
        raise UserError(f"--num-workers {count}: at least one decoder must read")
    return [Decoder(decoder_timeout_s, decoder_memory_gib) for _ in range(count)]


class Decoder:
    """The child: started at the first question, again after every death.

    It works ahead of us by the slots of a ring that both processes see.
    """

    def __init__(self, decoder_timeout_s: float = 60.0, decoder_memory_gib: float = 1.5) -> None:
        self.decoder_timeout_s = decoder_timeout_s
        self.memory_bytes = int(decoder_memory_gib * GIB)
        self.process: SpawnProcess | None = None
        self.interrupted = False
        self.pipe: socket.socket
        self.shared_buffer: SharedBuffer

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def probe_video(self, path: Path, grid: SnippetGrid) -> probe.ProbeResult:
        self._ask("probe", str(path), grid)
        return self._answer(lambda answer: parse_dataclass(probe.ProbeResult, answer["facts"]))

    def read_video_windows(
        self, path: Path, info: VideoInfo, grid: SnippetGrid, short_side: int, lookahead: int = 0
    ) -> Iterator[Window]:
        """io/video.windows, in the child. Where PyAV hangs or dies, another child goes on with decord, if that can.

        A window's frames lie in the ring: they are there until the next window is asked for.
        """
        form = SlotSpec(
            video.window_shape(info, grid, short_side, lookahead), "u1", overlap=grid.count_overlapping(lookahead)
        )
        request = (str(path), info, grid, short_side, lookahead)
        done = 0
        try:
            for window in self._windows("video", form, info.snippets, *request):
                yield window
                done += 1
        except Unreadable as failure:
            if failure.kind not in ("timeout", "crash"):
                raise
            try:
                yield from islice(self._windows("video_by_decord", form, info.snippets, *request), done, None)
            except Unreadable:
                raise failure from None

    def read_audio_windows(self, path: Path, info: VideoInfo, grid: SnippetGrid) -> Iterator[Window]:
        """io/audio.windows, in the child, with the same limit of life."""
        return self._windows("audio", SlotSpec((audio.WINDOW_SAMPLES,), "f4"), info.snippets, str(path), info, grid)

    def cut_segment(self, path: Path, out_path: Path, start: float, stop: float) -> None:
        """io/cut.cut, in the child; it may take as long as it goes on."""
        self._ask("cut", str(path), str(out_path), start, stop)
        while not self._answer(lambda answer: answer["done"]):
            pass

    def reset(self) -> None:
        """Forget that it was ended: it is to be asked again."""
        self.interrupted = False

    def interrupt(self) -> None:
        """From any thread: end the child, so that whoever waits for it learns that it is dead."""
        self.interrupted = True
        process = self.process
        if process is not None:
            process.kill()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.shared_buffer.close()
            self.process = None

    def _windows(self, service: str, form: SlotSpec, snippets: int, path: str, *request: Any) -> Iterator[Window]:
        if self.process is None:
            self._start()
        try:
            slots = self.shared_buffer.map_slots(form)
        except MemoryError:
            raise Unreadable("memory", "its pictures take more memory than there is") from None
        self._ask(service, path, form, *request)
        broken_off = True
        try:
            for snippet in range(snippets):
                coverage, loudness = self._answer(_facts)
                yield Window(snippet, slots[snippet % len(slots)], coverage, loudness)
                self._talk(self.pipe.send, WINDOW_DONE)
            self._answer(dict)
            broken_off = False
        except Unreadable:
            # The child has said so itself, or is dead already.
            broken_off = False
            raise
        finally:
            # Whoever stops reading early leaves a child that waits for its slots.
            if broken_off:
                self.kill()

    def _ask(self, *request: Any) -> None:
        if self.process is None:
            self._start()
        self._talk(self.pipe.send, pickle.dumps(request))

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        # Messages keep their borders, so half of one is never waited for.
        self.pipe, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.shared_buffer = SharedBuffer()
        arguments = (theirs, self.shared_buffer, os.getpid(), self.memory_bytes)
        process = context.Process(target=_serve, args=arguments, daemon=True)
        process.start()
        # Only now, as `end` may come from another thread at any time and needs a process that runs.
        self.process = process
        theirs.close()
        try:
            self._answer(dict, START_TIMEOUT_S)
        except Unreadable as failure:
            if self.interrupted:
                raise
            # No video's fault: a broken installation must not pass for a thousand broken videos.
            raise RuntimeError(f"no decoder can be started here: {failure}") from None

    def _answer(self, of: Callable[[dict[str, Any]], T], patience: float | None = None) -> T:
        """What is asked `of` the next answer."""
        self.pipe.settimeout(self.decoder_timeout_s if patience is None else patience)
        try:
            answer = dict(json.loads(self._talk(_heard, self.pipe)))
            if "failure" in answer:
                raise Unreadable(str(answer["failure"]), str(answer["message"]))
            return of(answer)
        except TimeoutError:
            self.kill()
            raise Unreadable("timeout", "the decoder gave no answer in time and was ended") from None
        except (ValueError, KeyError, TypeError, RecursionError, UserError):
            self.kill()
            raise Unreadable("crash", "the decoder gave an answer that makes no sense and was ended") from None

    def _talk(self, act: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return act(*arguments)
        except TimeoutError:
            raise
        except (EOFError, OSError):
            raise Unreadable("crash", f"the decoder died{self._cause()}") from None

    def _cause(self) -> str:
        assert self.process is not None
        self.process.join(1)
        code = self.process.exitcode
        self.kill()
        return f" of {signal.Signals(-code).name}" if code and code < 0 else ""


def _facts(answer: dict[str, Any]) -> tuple[float, float | None]:
    """A window's coverage, and its loudness where it is sound."""
    loudness = answer["loudness"]
    return float(answer["coverage"]), None if loudness is None else float(loudness)


def _heard(pipe: socket.socket) -> bytes:
    """The next message."""
    message = pipe.recv(MAX_MESSAGE_BYTES)
    if not message:
        raise EOFError
    return message


def _serve(pipe: socket.socket, ring: SharedBuffer, parent: int, memory: int) -> None:
    """The child's life: one request after another until the pipe closes."""
    _tie_to(parent)
    _load_av()
    _limit(memory)
    _say(pipe)
    while True:
        try:
            name, path, *rest = pickle.loads(_heard(pipe))  # noqa: S301 (our own words)
            REQUEST_HANDLERS[name](pipe, ring, path, *rest)
        except (EOFError, BrokenPipeError):
            return
        except Unreadable as failure:
            _say(pipe, failure=failure.kind, message=str(failure))
        except MemoryError:
            _say(pipe, failure="memory", message="decoding takes more memory than the limit")
        except Exception as error:
            # Whatever a decoder throws at a strange file costs that file alone.
            words = (str(error).splitlines() or [""])[0].replace(path, os.path.basename(path))[:MAX_ERROR_CHARS]
            _say(pipe, failure="decode", message=f"{type(error).__name__}: {words}")


def _tie_to(parent: int) -> None:
    """Die with the parent, even by kill -9; leave Ctrl-C to it."""
    import ctypes

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _load_av() -> None:
    """Silent as it comes.

    A level that is set makes FFmpeg's threads wait for the GIL whenever they have something to say, while the thread
    that holds it may be waiting for them.
    """
    import av  # noqa: F401


def _limit(memory: int) -> None:
    """Bound the address space beyond what the libraries take by themselves."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # No core files of gigabytes for a decoder that dies as intended.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _say(pipe: socket.socket, **answer: Any) -> None:
    pipe.send(json.dumps(answer).encode())


def _probe(pipe: socket.socket, ring: SharedBuffer, path: str, grid: SnippetGrid) -> None:
    _say(pipe, facts=asdict(probe.probe_video(path, grid)))


def _stream(windows: Callable[..., Iterator[Window]]) -> Callable[..., None]:
    """Windows into the ring's slots, each used again once its window is done with."""

    def serve(pipe: socket.socket, ring: SharedBuffer, path: str, form: SlotSpec, *rest: Any) -> None:
        slots = ring.map_slots(form)
        told = done = 0

        def get_slot(snippet: int) -> NDArray[Any]:
            nonlocal done
            while snippet - done >= len(slots):
                _heard(pipe)
                done += 1
            slot: NDArray[Any] = slots[snippet % len(slots)]
            return slot

        try:
            for window in windows(path, *rest, get_slot=get_slot):
                _say(pipe, coverage=window.coverage, loudness=window.loudness)
                told += 1
        finally:
            # The next thing to read must be a request.
            for _ in range(told - done):
                _heard(pipe)
        _say(pipe)

    return serve


def _sound(path: str, info: VideoInfo, grid: SnippetGrid, get_slot: video.GetSlot) -> Iterator[Window]:
    for window in audio.read_audio_windows(path, info, grid):
        slot = get_slot(window.snippet)
        slot[:] = window.data
        yield window


def _cut(pipe: socket.socket, ring: SharedBuffer, path: str, *rest: Any) -> None:
    told = 0.0
    for seconds in cut.cut_segment(path, *rest):
        if seconds - told >= 1:
            _say(pipe, done=False)
            told = seconds
    _say(pipe, done=True)


REQUEST_HANDLERS: dict[str, Callable[..., None]] = {
    "probe": _probe,
    "video": _stream(video.read_video_windows),
    "video_by_decord": _stream(partial(video.read_video_windows, reader=read_with_decord)),
    "audio": _stream(_sound),
    "cut": _cut,
}
