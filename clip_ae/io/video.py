"""Frames of a video on the snippet grid: decoded once, in order, resized by the decoder, never re-encoded."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.timeline import TOLERANCE, Grid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.io.container import THREADS, Scan, decoded, opened, scan, timestamp, video_stream

Frame = NDArray[np.uint8]
Size = tuple[int, int]
# Where a snippet's window is to be written.
Place = Callable[[int], NDArray[Any]]


class Unsuited(Exception):
    """This reader cannot read this video, or no further."""


def windows(
    path: str,
    info: VideoInfo,
    grid: Grid,
    short_side: int,
    lookahead: int,
    *,
    readers: Sequence[str] = ("decord", "pyav"),
    place: Place | None = None,
) -> Iterator[Window]:
    """Each snippet's frames and `lookahead` more, at its `place` or in new memory; exactly info.snippets windows."""
    found = scan(path)
    shape = window_shape(info, grid, short_side, lookahead)
    _, height, width, _ = shape
    total = grid.frames_spanned(info.snippets) + lookahead
    shown = on_grid(read_frames(path, found, (width, height), readers), found, grid, total)
    frame, real = np.zeros((height, width, 3), np.uint8), False
    filling: deque[_Filling] = deque()
    for j in range(total):
        # Past the end the last frame stays; a video of which nothing can be decoded is black.
        frame, real = next(shown, (frame, False))
        snippet, rest = divmod(j, grid.stride)
        if rest == 0 and snippet < info.snippets:
            filling.append(_Filling(snippet, place(snippet) if place else np.empty(shape, np.uint8)))
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


def window_shape(info: VideoInfo, grid: Grid, short_side: int, lookahead: int) -> tuple[int, int, int, int]:
    """Shape of every window of a video: [n, H, W, 3]."""
    width, height = scaled(info.width, info.height, short_side)
    return grid.frames + lookahead, height, width, 3


def scaled(width: int, height: int, short_side: int) -> Size:
    """(width, height) with the given short side, the other in proportion and even."""
    long_side = 2 * round(max(width, height) * short_side / min(width, height) / 2)
    return (long_side, short_side) if width >= height else (short_side, long_side)


def on_grid(frames: Iterator[tuple[float, Frame]], found: Scan, grid: Grid, total: int) -> Iterator[tuple[Frame, bool]]:
    """The frame on display at j / fps for j = 0, 1, ... while there is one; False where it merely stands in."""
    j, last, current = 0, 0.0, None
    for seconds, frame in frames:
        while j < total and grid.frame_time(j) + TOLERANCE < seconds:
            yield (frame, False) if current is None else (current, found.holds(last, grid.frame_time(j)))
            j += 1
        if j == total:
            return
        last, current = seconds, frame
    while current is not None and grid.frame_time(j) < found.stop - TOLERANCE:
        yield current, found.holds(last, grid.frame_time(j))
        j += 1


def read_frames(path: str, found: Scan, size: Size, readers: Sequence[str]) -> Iterator[tuple[float, Frame]]:
    """(seconds, frame) in display order; where one reader breaks off the next goes on."""
    done = -1.0
    for name in readers:
        try:
            for seconds, frame in READERS[name](path, found, size):
                if seconds > done:
                    done = seconds
                    yield seconds, frame
            return
        except Unsuited:
            continue


def _decord(path: str, found: Scan, size: Size) -> Iterator[tuple[float, Frame]]:
    import decord

    # decord does not tell which frame it returns, nor whether it has turned it.
    if not found.plain or found.rotation:
        raise Unsuited
    try:
        reader = decord.VideoReader(path, width=size[0], height=size[1], num_threads=THREADS)
        if len(reader) != len(found.times):
            raise Unsuited
        # Its own timestamps are float32: milliseconds off after some hours.
        for seconds in found.times:
            frame: Frame = np.asarray(np.from_dlpack(_Lent(reader.next().to_dlpack())), np.uint8)
            # For some widths below 100 pixels it returns the padding of rows as a fourth channel.
            if frame.shape != (*size[::-1], 3):
                raise Unsuited
            yield float(seconds), frame
    except (decord.DECORDError, RuntimeError, StopIteration) as error:
        raise Unsuited from error


class _Lent:
    """decord's own memory as numpy takes it, without a copy."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


def _pyav(path: str, found: Scan, size: Size) -> Iterator[tuple[float, Frame]]:
    turns = found.rotation // 90
    resized = _resizer(size[::-1] if turns % 2 else size)
    with opened(path) as container:
        stream = video_stream(container)
        stream.thread_type, stream.codec_context.thread_count = "AUTO", THREADS
        for frame in decoded(container, stream):
            seconds = timestamp(frame)
            if seconds is not None:
                yield seconds - found.first, np.ascontiguousarray(np.rot90(resized(frame), turns))


def _resizer(size: Size) -> Callable[[Any], Frame]:
    """The filters that decord has inside: whichever reader a video falls to, its pixels are the same."""
    from av.filter import Graph

    made: dict[tuple[int, int, str], Any] = {}

    def graph_for(frame: Any) -> Any:
        form = (frame.width, frame.height, frame.format.name)
        if form not in made:
            graph = made[form] = Graph()
            source = graph.add_buffer(width=form[0], height=form[1], format=form[2], time_base=frame.time_base)
            scale = graph.add("scale", f"{size[0]}:{size[1]}:flags=bilinear")
            graph.link_nodes(source, scale, graph.add("format", "rgb24"), graph.add("buffersink")).configure()
        return made[form]

    def resized(frame: Any) -> Frame:
        graph = graph_for(frame)
        graph.push(frame)
        picture: Frame = graph.pull().to_ndarray()
        return picture

    return resized


READERS: dict[str, Callable[[str, Scan, Size], Iterator[tuple[float, Frame]]]] = {"decord": _decord, "pyav": _pyav}
