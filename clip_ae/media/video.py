"""Read a video's frames on the snippet grid: decoded once, in order, resized by the decoder, never re-encoded."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.timeline import TIMESTAMP_TOLERANCE_S, SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media.packet_scan import PacketScan, scan_packets
from clip_ae.media.readers import Frame, FrameReader, FrameSize, read_with_pyav

# Snippet -> the array into which its window is written.
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
    """Yield one window of uint8 [grid.frames + lookahead, H, W, 3] for each of info.snippets snippets.

    A window is written to `get_slot(snippet)`, or to new memory.
    """
    scan = scan_packets(path)
    shape = window_shape(info, grid, short_side, lookahead)
    _, height, width, _ = shape
    num_frames = grid.count_frames_spanned(info.snippets) + lookahead
    resampled = resample_to_grid(reader(path, scan, (width, height)), scan, grid, num_frames)
    frame, is_real = np.zeros((height, width, 3), np.uint8), False
    open_windows: deque[_OpenWindow] = deque()
    for j in range(num_frames):
        # Past the end the last frame is repeated; a video of which no frame can be decoded is black.
        frame, is_real = next(resampled, (frame, False))
        snippet, frame_in_stride = divmod(j, grid.stride)
        if frame_in_stride == 0 and snippet < info.snippets:
            open_windows.append(_OpenWindow(snippet, get_slot(snippet) if get_slot else np.empty(shape, np.uint8)))
        for window in open_windows:
            window.add(frame, is_real)
        if open_windows and open_windows[0].is_full:
            yield open_windows.popleft().finish(grid.frames)


class _OpenWindow:
    """A window that still receives frames."""

    def __init__(self, snippet: int, data: Frame) -> None:
        self.snippet, self.data = snippet, data
        # For each frame so far: whether it was decoded, not a repeated one.
        self.is_real: list[bool] = []

    @property
    def is_full(self) -> bool:
        return len(self.is_real) == len(self.data)

    def add(self, frame: Frame, is_real: bool) -> None:
        self.data[len(self.is_real)] = frame
        self.is_real.append(is_real)

    def finish(self, num_snippet_frames: int) -> Window:
        """Return the window; its coverage counts the snippet's own frames, without the lookahead."""
        return Window(self.snippet, self.data, sum(self.is_real[:num_snippet_frames]) / num_snippet_frames)


def window_shape(info: VideoInfo, grid: SnippetGrid, short_side: int, lookahead: int) -> tuple[int, int, int, int]:
    """Return the shape of each window of a video: [n, H, W, 3]."""
    width, height = scale_size(info.width, info.height, short_side)
    return grid.frames + lookahead, height, width, 3


def scale_size(width: int, height: int, short_side: int) -> FrameSize:
    """Return (width, height) with the given short side; the other side is in proportion and even."""
    long_side = 2 * round(max(width, height) * short_side / min(width, height) / 2)
    return (long_side, short_side) if width >= height else (short_side, long_side)


def resample_to_grid(
    frames: Iterator[tuple[float, Frame]], scan: PacketScan, grid: SnippetGrid, num_frames: int
) -> Iterator[tuple[Frame, bool]]:
    """Yield (frame on display at j / fps, is_real) for j = 0, 1, ... up to the end of the video.

    is_real is False for a frame that only replaces one that could not be decoded.
    """
    j, current_time, current = 0, -math.inf, None
    for seconds, frame in frames:
        if seconds <= current_time:
            # The timestamps of a damaged stream may go back.
            continue
        while j < num_frames and grid.frame_time(j) + TIMESTAMP_TOLERANCE_S < seconds:
            is_real = current is not None and scan.is_on_display(current_time, grid.frame_time(j))
            yield (frame if current is None else current), is_real
            j += 1
        if j == num_frames:
            return
        current_time, current = seconds, frame
    while current is not None and grid.frame_time(j) < scan.duration - TIMESTAMP_TOLERANCE_S:
        yield current, scan.is_on_display(current_time, grid.frame_time(j))
        j += 1
