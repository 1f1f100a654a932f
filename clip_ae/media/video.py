"""Read a video's frames on the snippet grid: decoded once, in order, resized by the decoder, never re-encoded."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.timeline import SNIPPET_FRAMES, TIMESTAMP_TOLERANCE_S, FrameSampling, SnippetGrid
from clip_ae.core.types import FrameSize, VideoInfo, Window
from clip_ae.media.packet_scan import PacketScan, scan_packets
from clip_ae.media.readers import Frame, FrameReader, PixelSize, read_with_pyav

# Snippet -> the array into which its window is written.
GetSlot = Callable[[int], NDArray[Any]]


def read_video_windows(
    path: str,
    info: VideoInfo,
    grid: SnippetGrid,
    frame_size: FrameSize,
    sampling: FrameSampling = SNIPPET_FRAMES,
    *,
    reader: FrameReader = read_with_pyav,
    get_slot: GetSlot | None = None,
) -> Iterator[Window]:
    """Yield one window of uint8 frames [n, H, W, 3] for each of info.snippets snippets.

    `sampling` chooses the n frames. Before the video starts its first frame is repeated, after its end the last one.
    A window is written to `get_slot(snippet)`, or to new memory.
    """
    scan, offsets = scan_packets(path), sampling.offsets(grid)
    shape = window_shape(info, grid, frame_size, sampling)
    _, height, width, _ = shape
    first, last = grid.window_span(offsets)
    num_frames = (info.snippets - 1) * grid.stride + last + 1
    resampled = resample_to_grid(reader(path, scan, (width, height)), scan, grid, num_frames)
    frame, is_real = np.zeros((height, width, 3), np.uint8), False
    open_windows: deque[_OpenWindow] = deque()
    num_opened = 0
    for j in range(num_frames):
        # Past the end the last frame is repeated; a video of which no frame can be decoded is black.
        frame, is_real = next(resampled, (frame, False))
        # Several windows may start before the video does.
        while num_opened < info.snippets and num_opened * grid.stride + first <= j:
            data = get_slot(num_opened) if get_slot else np.empty(shape, np.uint8)
            open_windows.append(_OpenWindow(num_opened, data, offsets, grid))
            num_opened += 1
        for window in open_windows:
            window.add(j, frame, is_real)
        if open_windows and open_windows[0].is_complete(j):
            yield open_windows.popleft().finish()


class _OpenWindow:
    """A window that still receives frames."""

    def __init__(self, snippet: int, data: Frame, offsets: Sequence[int], grid: SnippetGrid) -> None:
        self.snippet, self.data, self.offsets = snippet, data, offsets
        self.start, self.num_own_frames = snippet * grid.stride, grid.frames
        self.num_written = self.num_real = 0

    def add(self, j: int, frame: Frame, is_real: bool) -> None:
        """Write frame j of the video wherever the window shows it. `is_real`: it was decoded, not repeated."""
        self.num_real += is_real and self.start <= j < self.start + self.num_own_frames
        # Offsets may lie before the first frame of the video, which then stands for them, or be equal.
        while self.num_written < len(self.offsets) and self.start + self.offsets[self.num_written] <= j:
            self.data[self.num_written] = frame
            self.num_written += 1

    def is_complete(self, j: int) -> bool:
        """Whether frame j was the last that the window or its coverage needs."""
        return self.num_written == len(self.offsets) and j >= self.start + self.num_own_frames - 1

    def finish(self) -> Window:
        """Return the window; its coverage counts the snippet's own frames only."""
        return Window(self.snippet, self.data, self.num_real / self.num_own_frames)


def window_shape(
    info: VideoInfo, grid: SnippetGrid, frame_size: FrameSize, sampling: FrameSampling = SNIPPET_FRAMES
) -> tuple[int, int, int, int]:
    """Return the shape of each window of a video: [n, H, W, 3]."""
    width, height = scale_size(info.width, info.height, frame_size)
    return len(sampling.offsets(grid)), height, width, 3


def scale_size(width: int, height: int, frame_size: FrameSize) -> PixelSize:
    """Return (width, height) of decoded frames. With a given short side the other is in proportion and even."""
    if not isinstance(frame_size, int):
        return frame_size[::-1]
    long_side = 2 * round(max(width, height) * frame_size / min(width, height) / 2)
    return (long_side, frame_size) if width >= height else (frame_size, long_side)


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
