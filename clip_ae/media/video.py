"""Frames of a video on the snippet grid: decoded once, in order, resized by the decoder, never re-encoded."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.timeline import TIMESTAMP_TOLERANCE_S, SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media.container import PacketScan, scan_packets
from clip_ae.media.readers import Frame, FrameReader, FrameSize, read_with_pyav

# Where a snippet's window is to be written.
GetSlot = Callable[[int], NDArray[Any]]


def read_video_windows(
    path: str,
    info: VideoInfo,
    grid: SnippetGrid,
    short_side: int,
    lookahead: int,
    *,
    reader: FrameReader = read_with_pyav,
    get_slot: GetSlot | None = None,
) -> Iterator[Window]:
    """Each snippet's frames and `lookahead` more, at its `get_slot` or in new memory; exactly info.snippets windows."""
    found = scan_packets(path)
    shape = window_shape(info, grid, short_side, lookahead)
    _, height, width, _ = shape
    total = grid.count_frames_spanned(info.snippets) + lookahead
    shown = resample_to_grid(reader(path, found, (width, height)), found, grid, total)
    frame, real = np.zeros((height, width, 3), np.uint8), False
    filling: deque[_Filling] = deque()
    for j in range(total):
        # Past the end the last frame stays; a video of which nothing can be decoded is black.
        frame, real = next(shown, (frame, False))
        snippet, rest = divmod(j, grid.stride)
        if rest == 0 and snippet < info.snippets:
            filling.append(_Filling(snippet, get_slot(snippet) if get_slot else np.empty(shape, np.uint8)))
        for window in filling:
            window.add(frame, real)
        if filling and filling[0].full:
            yield filling.popleft().window(grid.frames)


class _Filling:
    """A window whose frames are still coming in, each written to its place once."""

    def __init__(self, snippet: int, data: Frame) -> None:
        self.snippet, self.data = snippet, data
        self.real: list[bool] = []

    @property
    def full(self) -> bool:
        return len(self.real) == len(self.data)

    def add(self, frame: Frame, real: bool) -> None:
        self.data[len(self.real)] = frame
        self.real.append(real)

    def window(self, own: int) -> Window:
        return Window(self.snippet, self.data, sum(self.real[:own]) / own)


def window_shape(info: VideoInfo, grid: SnippetGrid, short_side: int, lookahead: int) -> tuple[int, int, int, int]:
    """Shape of every window of a video: [n, H, W, 3]."""
    width, height = scale_size(info.width, info.height, short_side)
    return grid.frames + lookahead, height, width, 3


def scale_size(width: int, height: int, short_side: int) -> FrameSize:
    """(width, height) with the given short side, the other in proportion and even."""
    long_side = 2 * round(max(width, height) * short_side / min(width, height) / 2)
    return (long_side, short_side) if width >= height else (short_side, long_side)


def resample_to_grid(
    frames: Iterator[tuple[float, Frame]], scan: PacketScan, grid: SnippetGrid, num_frames: int
) -> Iterator[tuple[Frame, bool]]:
    """The frame on display at j / fps for j = 0, 1, ... while there is one; False where it merely stands in."""
    j, last, current = 0, -math.inf, None
    for seconds, frame in frames:
        if seconds <= last:
            # A damaged stream may step back in time.
            continue
        while j < num_frames and grid.frame_time(j) + TIMESTAMP_TOLERANCE_S < seconds:
            yield (frame, False) if current is None else (current, scan.is_on_display(last, grid.frame_time(j)))
            j += 1
        if j == num_frames:
            return
        last, current = seconds, frame
    while current is not None and grid.frame_time(j) < scan.duration - TIMESTAMP_TOLERANCE_S:
        yield current, scan.is_on_display(last, grid.frame_time(j))
        j += 1
