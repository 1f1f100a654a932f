"""Decode untrusted media in a child process, and kill the child if it hangs, dies or uses too much memory.

The child answers with JSON messages and with pixels in shared memory, never with pickles. A message arrives whole or
not at all. So a decoder that a hostile file has taken over can neither run code in this process nor block it.
"""

import contextlib
import functools
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.schema import DEFAULT_RUNTIME, Runtime
from clip_ae.core.errors import Unreadable, UserError
from clip_ae.core.progress import log_line
from clip_ae.core.timeline import SNIPPET_FRAMES, FrameSampling, SnippetGrid
from clip_ae.core.types import FrameSize, VideoInfo, Window
from clip_ae.media import audio, decoder_service, video
from clip_ae.media.probe import ProbeResult
from clip_ae.media.shared_buffer import SharedBuffer, SlotSpec

GIB = 1 << 30
T = TypeVar("T")
# Seconds for the child to start: it may load its libraries from a slow disk.
START_TIMEOUT_S = 120.0
# The child's code. It finds modules where the parent does. multiprocessing would import the parent's script again, so
# every script that extracts features would need `if __name__ == "__main__"`.
CHILD_CODE = """import json, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:], *arguments = json.loads(sys.argv[1])
from clip_ae.media.decoder_service import serve
serve(*arguments)"""


def create_decoders(runtime: Runtime) -> list["Decoder"]:
    """Return decoders that can work in parallel. A decoder starts its process at its first request."""
    return [Decoder(runtime) for _ in range(runtime.num_workers)]


class Decoder:
    """A child process that decodes media. It starts at the first request, and again after each death.

    The child decodes ahead, as many windows as the shared buffer has slots.
    """

    def __init__(self, runtime: Runtime = DEFAULT_RUNTIME) -> None:
        self.timeout_s = runtime.decoder_timeout_s
        self.memory_bytes = int(runtime.decoder_memory_gib * GIB)
        self.process: subprocess.Popen[bytes] | None = None
        self.interrupted = False
        self.pipe: socket.socket
        self.shared_buffer: SharedBuffer

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def probe_video(self, path: Path, grid: SnippetGrid) -> ProbeResult:
        """Run media.probe.probe_video in the child."""
        self._send_request("probe", str(path), grid)
        return self._receive(lambda answer: parse_dataclass(ProbeResult, answer["facts"]))

    def read_video_windows(
        self,
        path: Path,
        info: VideoInfo,
        grid: SnippetGrid,
        frame_size: FrameSize,
        sampling: FrameSampling = SNIPPET_FRAMES,
    ) -> Iterator[Window]:
        """Run media.video.read_video_windows in the child.

        If PyAV hangs or dies, a new child continues with decord, provided that decord can read the video. A window's
        frames are in the shared buffer: they stay valid until the next window is requested.
        """
        shape = video.window_shape(info, grid, frame_size, sampling)
        slot_spec = SlotSpec(shape, "u1", overlap=grid.count_overlapping(sampling.offsets(grid)))
        request = (str(path), info, grid, frame_size, sampling)
        num_read = 0
        try:
            for window in self._read_windows("video", slot_spec, info.snippets, *request):
                yield window
                num_read += 1
        except Unreadable as failure:
            if failure.kind not in ("timeout", "crash"):
                raise
            try:
                windows = self._read_windows("video_by_decord", slot_spec, info.snippets, *request)
                yield from islice(windows, num_read, None)
            except Unreadable:
                raise failure from None

    def read_audio_windows(self, path: Path, info: VideoInfo, grid: SnippetGrid) -> Iterator[Window]:
        """Run media.audio.read_audio_windows in the child. A window's samples are in the shared buffer, as above."""
        slot_spec = SlotSpec((audio.WINDOW_SAMPLES,), "f4")
        return self._read_windows("audio", slot_spec, info.snippets, str(path), info, grid)

    def cut_segment(self, path: Path, out_path: Path, start: float, stop: float) -> None:
        """Run media.cut.cut_segment in the child. No time limit applies as long as the child reports progress."""
        with out_path.open("wb") as out:
            self._send_request("cut", str(path), start, stop, file_to_write=out.fileno())
            while not self._receive(lambda answer: answer["done"]):
                pass

    def reset(self) -> None:
        """Make an interrupted decoder usable again."""
        self.interrupted = False

    def interrupt(self) -> None:
        """Kill the child from any thread; the thread that waits for its answer gets an Unreadable error."""
        self.interrupted = True
        process = self.process
        if process is not None:
            process.kill()

    def kill(self) -> None:
        """Kill the child and release the pipe and the shared memory."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.pipe.close()
            self.shared_buffer.close()
            self.process = None

    def _read_windows(
        self, request_name: str, slot_spec: SlotSpec, num_snippets: int, path: str, *request: Any
    ) -> Iterator[Window]:
        if self.process is None:
            self._start()
        slots = self._map_slots(slot_spec)
        self._send_request(request_name, path, slot_spec, *request)
        child_is_busy = True
        try:
            for snippet in range(num_snippets):
                coverage, loudness = self._receive(_parse_window_facts)
                yield Window(snippet, slots[snippet % len(slots)], coverage, loudness)
                self._guarded_call(self.pipe.send, decoder_service.WINDOW_DONE)
            self._receive(dict)
            child_is_busy = False
        except Unreadable:
            # The child has reported the failure itself, or is already dead.
            child_is_busy = False
            raise
        finally:
            # If the caller stops early, the child still waits for free slots.
            if child_is_busy:
                self.kill()

    def _map_slots(self, slot_spec: SlotSpec) -> Any:
        try:
            return self.shared_buffer.map_slots(slot_spec)
        except MemoryError:
            raise Unreadable("memory", "its frames need more memory than there is") from None

    def _send_request(self, *request: Any, file_to_write: int | None = None) -> None:
        """Send a request; the child may open no file for writing, so it gets the one that it needs open."""
        if self.process is None:
            self._start()
        files = [] if file_to_write is None else [file_to_write]
        self._guarded_call(socket.send_fds, self.pipe, [pickle.dumps(request)], files)

    def _start(self) -> None:
        # SEQPACKET keeps message boundaries, so this process never waits for the second half of a message.
        self.pipe, child_pipe = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.shared_buffer = SharedBuffer()
        fds = (child_pipe.fileno(), self.shared_buffer.fd)
        arguments = json.dumps([sys.path, *fds, os.getpid(), self.memory_bytes])
        command = [sys.executable, "-c", CHILD_CODE, arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=fds)
        child_pipe.close()
        try:
            _log_once(self._receive(_describe_missing_lock, START_TIMEOUT_S))
        except Unreadable as failure:
            if self.interrupted:
                raise
            # A broken installation must not be reported as a thousand broken videos.
            raise RuntimeError(f"no decoder can be started here: {failure}") from None

    def _receive(self, parse_answer: Callable[[dict[str, Any]], T], timeout_s: float | None = None) -> T:
        """Return parse_answer(the next answer); Unreadable if the child fails, or gives no valid answer in time."""
        self.pipe.settimeout(self.timeout_s if timeout_s is None else timeout_s)
        try:
            answer = dict(json.loads(self._guarded_call(decoder_service.receive_message, self.pipe)))
            if "failure" in answer:
                raise Unreadable(str(answer["failure"]), str(answer["message"]))
            return parse_answer(answer)
        except TimeoutError:
            self.kill()
            raise Unreadable("timeout", "the decoder gave no answer in time and was ended") from None
        except (ValueError, KeyError, TypeError, RecursionError, UserError):
            self.kill()
            raise Unreadable("crash", "the decoder gave an invalid answer and was ended") from None

    def _guarded_call(self, pipe_call: Callable[..., T], *arguments: Any) -> T:
        """Return pipe_call(*arguments); Unreadable if the child is dead."""
        try:
            return pipe_call(*arguments)
        except TimeoutError:
            raise
        except (EOFError, OSError):
            raise Unreadable("crash", f"the decoder died{self._describe_death()}") from None

    def _describe_death(self) -> str:
        """Return ' of SIGNAL' if a signal ended the child, and release what the child used."""
        exit_code = None
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                exit_code = self.process.wait(1)
        self.kill()
        return f" of {signal.Signals(-exit_code).name}" if exit_code and exit_code < 0 else ""


@functools.cache
def _log_once(line: str) -> None:
    if line:
        log_line(line)


def _describe_missing_lock(answer: dict[str, Any]) -> str:
    """A line for the log if the child could not lock itself; empty if it could."""
    reason = answer["not_locked"]
    return f"the decoder's process is not locked: {reason} (SECURITY.md)" if reason else ""


def _parse_window_facts(answer: dict[str, Any]) -> tuple[float, float | None]:
    """Return a window's coverage, and its loudness (None for video)."""
    loudness = answer["loudness"]
    return float(answer["coverage"]), None if loudness is None else float(loudness)
