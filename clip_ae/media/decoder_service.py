"""Main loop of the decoder's child process: receive a request, run it, answer.

Requests come pickled from the parent process. Answers are JSON messages, and windows in shared memory.
"""

import ctypes
import errno
import json
import os
import pickle
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media import audio, cut, probe, video
from clip_ae.media.readers import read_with_decord
from clip_ae.media.sandbox import lock_process
from clip_ae.media.shared_buffer import SharedBuffer, SlotSpec

PR_SET_PDEATHSIG = 1
# The parent sends this when it no longer needs a window, so that the slot is free.
WINDOW_DONE = b"done"
# Bytes of the longest message. An error message of a decoder library is cut to MAX_ERROR_CHARS characters.
MAX_MESSAGE_BYTES, MAX_ERROR_CHARS = 1 << 16, 1000


def serve(pipe_fd: int, buffer_fd: int, parent_pid: int, memory_bytes: int) -> None:
    """Answer one request after another until the pipe closes. Both descriptors are inherited."""
    _die_with_parent(parent_pid)
    pipe, shared_buffer = socket.socket(fileno=pipe_fd), SharedBuffer(buffer_fd)
    _load_av()
    _limit_memory(memory_bytes)
    _close_terminal()
    _send(pipe, not_locked=lock_process())
    while _answer_request(pipe, shared_buffer):
        pass


def receive_message(pipe: socket.socket) -> bytes:
    """Return the next message; EOFError if the other side has closed the pipe."""
    message = pipe.recv(MAX_MESSAGE_BYTES)
    if not message:
        raise EOFError
    return message


def _answer_request(pipe: socket.socket, shared_buffer: SharedBuffer) -> bool:
    """Run one request and send its answer or its failure. False if the pipe is closed."""
    path = ""
    try:
        message, files = _receive_request(pipe)
        name, path, *arguments = pickle.loads(message)  # noqa: S301 (sent by the parent process)
        REQUEST_HANDLERS[name](pipe, shared_buffer, path, *arguments, *files)
    except (EOFError, BrokenPipeError):
        return False
    except Unreadable as failure:
        _send(pipe, failure=failure.kind, message=str(failure))
    except MemoryError:
        _send(pipe, failure="memory", message="decoding takes more memory than the limit")
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            _send(pipe, failure="memory", message="the clip is larger than the limit, runtime.decoder_memory_gib")
            return True
        # A library may raise any error on a strange file: that file fails, the process goes on.
        first_line = (str(error).splitlines() or [""])[0].replace(path, os.path.basename(path))[:MAX_ERROR_CHARS]
        _send(pipe, failure="decode", message=f"{type(error).__name__}: {first_line}")
    return True


def _receive_request(pipe: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next request and the file to write, if the parent has opened one for it."""
    message, files, _, _ = socket.recv_fds(pipe, MAX_MESSAGE_BYTES, 1)
    if not message:
        raise EOFError
    return message, files


def _die_with_parent(parent_pid: int) -> None:
    """End this process when the parent ends, even by kill -9."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def _load_av() -> None:
    """Import av and leave its log level alone: av is silent by default.

    If a level is set, FFmpeg's threads wait for the GIL whenever they log, while the thread that holds the GIL may
    wait for them.
    """
    import av  # noqa: F401


def _limit_memory(memory_bytes: int) -> None:
    """Limit the address space to what the libraries use now plus `memory_bytes`."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # The address space does not count what is written to a memory file, such as the buffer of the windows.
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    # A decoder that is killed must not write core files of gigabytes.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _close_terminal() -> None:
    """Libraries that print have nobody to print to from here on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for standard in (1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)


def _send(pipe: socket.socket, **answer: Any) -> None:
    pipe.send(json.dumps(answer).encode())


def _handle_probe(pipe: socket.socket, shared_buffer: SharedBuffer, path: str, grid: SnippetGrid) -> None:
    _send(pipe, facts=asdict(probe.probe_video(path, grid)))


def _windows_handler(read_windows: Callable[..., Iterator[Window]]) -> Callable[..., None]:
    """Return a handler that writes windows into the slots; a slot is used again when the parent is done with it."""

    def handle(
        pipe: socket.socket, shared_buffer: SharedBuffer, path: str, slot_spec: SlotSpec, *arguments: Any
    ) -> None:
        slots = shared_buffer.map_slots(slot_spec)
        num_sent = num_done = 0

        def get_slot(snippet: int) -> NDArray[Any]:
            nonlocal num_done
            while snippet - num_done >= len(slots):
                receive_message(pipe)
                num_done += 1
            slot: NDArray[Any] = slots[snippet % len(slots)]
            return slot

        try:
            for window in read_windows(path, *arguments, get_slot=get_slot):
                _send(pipe, coverage=window.coverage, loudness=window.loudness)
                num_sent += 1
        finally:
            # The next message in the pipe must be a request.
            for _ in range(num_sent - num_done):
                receive_message(pipe)
        _send(pipe)

    return handle


def _read_audio_into_slots(path: str, info: VideoInfo, grid: SnippetGrid, get_slot: video.GetSlot) -> Iterator[Window]:
    for window in audio.read_audio_windows(path, info, grid):
        slot = get_slot(window.snippet)
        slot[:] = window.data
        yield window


def _handle_cut(
    pipe: socket.socket, shared_buffer: SharedBuffer, path: str, start: float, stop: float, out_fd: int
) -> None:
    """Report progress after each second of the cut, so that the parent's time limit starts again."""
    last_reported_s = 0.0
    with open(out_fd, "wb") as out:
        for seconds in cut.cut_segment(path, out, start, stop):
            if seconds - last_reported_s >= 1:
                _send(pipe, done=False)
                last_reported_s = seconds
    _send(pipe, done=True)


REQUEST_HANDLERS: dict[str, Callable[..., None]] = {
    "probe": _handle_probe,
    "video": _windows_handler(video.read_video_windows),
    "video_by_decord": _windows_handler(partial(video.read_video_windows, reader=read_with_decord)),
    "audio": _windows_handler(_read_audio_into_slots),
    "cut": _handle_cut,
}
