"""Two readers of video frames. Each yields (seconds, RGB frame) in display order, resized while decoding.

PyAV reads first; its memory does not grow with the video. decord has decoders of its own and reads the videos at which
PyAV's process hangs or dies; it queues frames without limit when the machine is busy.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.media.container import DECODER_THREADS, decode_frames, get_timestamp, get_video_stream, open_container
from clip_ae.media.packet_scan import PacketScan

Frame = NDArray[np.uint8]
# (width, height)
PixelSize = tuple[int, int]
FrameReader = Callable[[str, PacketScan, PixelSize], Iterator[tuple[float, Frame]]]


def read_with_pyav(path: str, scan: PacketScan, size: PixelSize) -> Iterator[tuple[float, Frame]]:
    """Yield (seconds after the first frame, RGB [H, W, 3]), turned upright and resized to `size`."""
    quarter_turns = scan.rotation // 90
    resize = _make_resizer(size[::-1] if quarter_turns % 2 else size)
    with open_container(path) as container:
        stream = get_video_stream(container)
        stream.thread_type, stream.codec_context.thread_count = "AUTO", DECODER_THREADS
        for frame in decode_frames(container, stream):
            seconds = get_timestamp(frame)
            if seconds is not None:
                yield seconds - scan.start_time, np.ascontiguousarray(np.rot90(resize(frame), quarter_turns))


def _make_resizer(size: PixelSize) -> Callable[[Any], Frame]:
    """Return a function from an av frame to RGB of `size`. It keeps a filter graph for each input format."""
    graphs: dict[tuple[int, int, str], Any] = {}

    def resize(frame: Any) -> Frame:
        frame_format = (frame.width, frame.height, frame.format.name)
        if frame_format not in graphs:
            graphs[frame_format] = _build_resize_graph(frame, size)
        graph = graphs[frame_format]
        graph.push(frame)
        pixels: Frame = graph.pull().to_ndarray()
        return pixels

    return resize


def _build_resize_graph(frame: Any, size: PixelSize) -> Any:
    from av.filter import Graph

    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base
    )
    scale = graph.add("scale", f"{size[0]}:{size[1]}:flags=bilinear")
    # To BGR, then to RGB: FFmpeg's direct conversion is not vectorised, takes twice as long and is darker by one level
    # of 255.
    conversion = [graph.add("format", "bgr24"), graph.add("scale"), graph.add("format", "rgb24")]
    graph.link_nodes(source, scale, *conversion, graph.add("buffersink")).configure()
    return graph


def read_with_decord(path: str, scan: PacketScan, size: PixelSize) -> Iterator[tuple[float, Frame]]:
    """Yield the same as read_with_pyav; Unreadable for a video that decord cannot read frame by frame."""
    decord = _import_decord()
    # decord does not report which frame it returns, nor whether it has turned the frame.
    if not scan.has_exact_index or scan.rotation:
        raise _make_decord_error()
    try:
        # A relative path through a folder `http:` is an address to decord's FFmpeg, which has no whitelist.
        absolute_path = os.path.abspath(path)
        reader = decord.VideoReader(absolute_path, width=size[0], height=size[1], num_threads=DECODER_THREADS)
        if len(reader) != len(scan.frame_times):
            raise _make_decord_error()
        # Times come from the scan: decord's own timestamps are float32, milliseconds off after some hours.
        for seconds in scan.frame_times:
            frame: Frame = np.asarray(np.from_dlpack(_BorrowedArray(reader.next().to_dlpack())), np.uint8)
            # For some widths below 100 pixels decord returns the padding of rows as a fourth channel.
            if frame.shape != (*size[::-1], 3):
                raise _make_decord_error()
            yield float(seconds), frame
    except (decord.DECORDError, RuntimeError, StopIteration) as error:
        raise _make_decord_error() from error


def _import_decord() -> Any:
    # decord polls its own thread for the last frames and gives up after this many polls, too soon on a busy machine.
    # The decoder timeout ends a reader that hangs.
    os.environ["DECORD_EOF_RETRY_MAX"] = "1000000000"
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    return decord


def _make_decord_error() -> Unreadable:
    return Unreadable("decode", "decord cannot read it, or no further")


class _BorrowedArray:
    """decord's own memory in the form that numpy reads without a copy."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0
