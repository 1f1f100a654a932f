"""Two readers of a video's frames: (seconds, RGB) in display order, resized as they are decoded.

PyAV reads first, in memory that does not grow. decord is the second opinion, for videos at which PyAV's process hangs
or dies: it has decoders of its own, and queues frames without limit when it is not alone on the machine.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.media.container import (
    DECODER_THREADS,
    PacketScan,
    decode_frames,
    get_timestamp,
    get_video_stream,
    open_container,
)

Frame = NDArray[np.uint8]
# (width, height)
FrameSize = tuple[int, int]
FrameReader = Callable[[str, PacketScan, FrameSize], Iterator[tuple[float, Frame]]]


def read_with_pyav(path: str, scan: PacketScan, size: FrameSize) -> Iterator[tuple[float, Frame]]:
    turns = scan.rotation // 90
    resized = _resizer(size[::-1] if turns % 2 else size)
    with open_container(path) as container:
        stream = get_video_stream(container)
        stream.thread_type, stream.codec_context.thread_count = "AUTO", DECODER_THREADS
        for frame in decode_frames(container, stream):
            seconds = get_timestamp(frame)
            if seconds is not None:
                yield seconds - scan.start_time, np.ascontiguousarray(np.rot90(resized(frame), turns))


def _resizer(size: FrameSize) -> Callable[[Any], Frame]:
    from av.filter import Graph

    made: dict[tuple[int, int, str], Any] = {}

    def graph_for(frame: Any) -> Any:
        form = (frame.width, frame.height, frame.format.name)
        if form not in made:
            graph = made[form] = Graph()
            source = graph.add_buffer(width=form[0], height=form[1], format=form[2], time_base=frame.time_base)
            scale = graph.add("scale", f"{size[0]}:{size[1]}:flags=bilinear")
            # To BGR and from there to RGB: FFmpeg's direct way is not vectorised, takes twice as long and is darker by
            # one level of 255.
            ways = [graph.add("format", "bgr24"), graph.add("scale"), graph.add("format", "rgb24")]
            graph.link_nodes(source, scale, *ways, graph.add("buffersink")).configure()
        return made[form]

    def resized(frame: Any) -> Frame:
        graph = graph_for(frame)
        graph.push(frame)
        picture: Frame = graph.pull().to_ndarray()
        return picture

    return resized


def read_with_decord(path: str, scan: PacketScan, size: FrameSize) -> Iterator[tuple[float, Frame]]:
    decord = _decord()
    # decord does not tell which frame it returns, nor whether it has turned it.
    if not scan.has_exact_index or scan.rotation:
        raise _unsuited()
    try:
        reader = decord.VideoReader(path, width=size[0], height=size[1], num_threads=DECODER_THREADS)
        if len(reader) != len(scan.frame_times):
            raise _unsuited()
        # Its own timestamps are float32: milliseconds off after some hours.
        for seconds in scan.frame_times:
            frame: Frame = np.asarray(np.from_dlpack(_Lent(reader.next().to_dlpack())), np.uint8)
            # For some widths below 100 pixels it returns the padding of rows as a fourth channel.
            if frame.shape != (*size[::-1], 3):
                raise _unsuited()
            yield float(seconds), frame
    except (decord.DECORDError, RuntimeError, StopIteration) as error:
        raise _unsuited() from error


def _decord() -> Any:
    # It asks its own thread for the last frames so many times and then gives up: on a busy machine too soon. It may
    # wait for as long as the watchdog lets it.
    os.environ["DECORD_EOF_RETRY_MAX"] = "1000000000"
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    return decord


def _unsuited() -> Unreadable:
    return Unreadable("decode", "decord cannot read it, or no further")


class _Lent:
    """decord's own memory as numpy takes it, without a copy."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0
