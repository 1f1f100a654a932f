"""Media containers as untrusted input: opened without following links elsewhere, timestamps read from packets.

av is imported inside the functions: only the guarded child may load it.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import TIMESTAMP_TOLERANCE_S

# Text formats that name other files or addresses to read.
PLAYLIST_FORMATS = {"concat", "dash", "hls", "imf", "webm_dash_manifest"}
# Formats with an index. In others decord loses frames and returns their neighbours in silence.
INDEXED_FORMATS = {"avi", "matroska", "mov"}
# FFmpeg's own choice takes a thread, and memory for frames, for every core of the machine.
DECODER_THREADS = 2
# Frames that a decoder may hold back to put them in order: as many as any codec allows.
MAX_REORDER_FRAMES = 16
# The largest picture that is decoded: 8192 x 8192. A file of 100 kB can hold one that fills gigabytes.
MAX_PIXELS = 1 << 26
CODEC_OPTIONS = {"max_pixels": str(MAX_PIXELS)}
# For a lone frame that states neither a duration nor a rate.
FALLBACK_FPS = 25.0


@dataclass(frozen=True)
class PacketScan:
    """When each frame is displayed, in seconds after the first of them, as the packets state it."""

    frame_times: NDArray[np.float64]
    # The container's own timestamp of t = 0, in seconds.
    start_time: float
    # When the last frame leaves the screen.
    duration: float
    # End of the last packet of picture, and of sound where that was scanned, by the container's own clock.
    container_end: float
    # Degrees to turn each frame by, counterclockwise.
    rotation: int
    # An indexed file whose every packet is one whole frame: the n-th decoded frame is shown at times[n].
    has_exact_index: bool

    @property
    def fps(self) -> float:
        return len(self.frame_times) / self.duration

    def is_on_display(self, frame_time: float, time: float) -> bool:
        """Whether the frame of time `last` is still the one to show, no later one having been lost."""
        due = self.frame_times[np.searchsorted(self.frame_times, time + TIMESTAMP_TOLERANCE_S, side="right") - 1]
        # Interlaced video may come in two packets a frame, the second of them one packet later.
        return bool(due < frame_time + 1.5 / self.fps)


@contextlib.contextmanager
def open_container(path: str) -> Iterator[Any]:
    """An av container. Its streams cannot make us read an address or another file."""
    import av

    if Path(path).is_char_device() or Path(path).is_block_device():
        raise Unreadable("device", "is a device, or a link to one; its noise may pass for a video without an end")
    try:
        options = {"protocol_whitelist": "file", **CODEC_OPTIONS}
        container = av.open(os.path.abspath(path), options=options, metadata_errors="replace")
    except FileNotFoundError:
        raise Unreadable("missing", "no such file, or a link to nowhere") from None
    except PermissionError:
        raise Unreadable("permission", "not readable; give yourself the right to read it") from None
    except av.error.FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from None
        raise Unreadable("not-a-video", f"cannot be opened as media: {error.strerror}") from None
    with container:
        if PLAYLIST_FORMATS & set(container.format.name.split(",")):
            raise Unreadable("playlist", "names other files to play; put the videos themselves in the folder")
        yield container


def get_video_stream(container: Any) -> Any:
    from av.stream import Disposition

    stream = container.streams.best("video")
    if stream is None or stream.disposition & Disposition.attached_pic:
        raise Unreadable("no-video", "has no video track")
    if stream.codec_context is None:
        raise Unreadable("codec", "its picture is in a format that cannot be decoded here; convert it")
    # Pictures that are too large are told without a size.
    if not 0 < stream.width * stream.height <= MAX_PIXELS:
        raise Unreadable("size", "its pictures have no size, or more than 67 million pixels; scale the video down")
    # A frame may be larger than the container claims.
    stream.codec_context.options = CODEC_OPTIONS
    return stream


def get_audio_stream(container: Any) -> Any:
    """The track of sound, where there is one that can be decoded."""
    stream = container.streams.best("audio")
    return stream if stream and stream.codec_context else None


def demux_packets(container: Any, *streams: Any) -> Iterator[Any]:
    """The packets that can be read; where the file breaks off, they end."""
    from av.error import FFmpegError

    # At the end av stumbles over streams that began midway, as recorded broadcasts have them.
    with contextlib.suppress(FFmpegError, IndexError):
        # The demuxer ends with an empty packet a stream, which flushes the decoder.
        yield from container.demux(*streams)


def decode_frames(container: Any, stream: Any) -> Iterator[Any]:
    """The frames that can be decoded; a damaged packet costs its own frames, not the rest."""
    from av.error import FFmpegError

    for packet in demux_packets(container, stream):
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except FFmpegError:
            continue
        yield from frames


def get_timestamp(item: Any) -> float | None:
    """Display time of a packet or frame by the container's clock; AVI has decoding times only."""
    ticks = item.dts if item.pts is None else item.pts
    return None if ticks is None else ticks_to_seconds(ticks, item.time_base)


def ticks_to_seconds(ticks: int, time_base: Fraction) -> float:
    """As exact as a product of fractions, and ten times faster."""
    return ticks * time_base.numerator / time_base.denominator


@dataclass
class _Packets:
    """What the packets of a file state: (display time, duration) of each frame, and the facts around them."""

    shown: list[tuple[float, float]] = field(default_factory=list)
    end: float = 0.0
    plain: bool = True

    def add(self, packet: Any, seconds: float, is_video: bool) -> None:
        duration = ticks_to_seconds(packet.duration or 0, packet.time_base)
        self.end = max(self.end, seconds + duration)
        if is_video and packet.is_discard:
            # Frames outside an edit list are decoded, never displayed.
            self.plain = False
        elif is_video:
            self.plain = self.plain and packet.pts is not None and not packet.is_corrupt
            self.shown.append((seconds, duration))


def scan_packets(path: str, *, with_audio: bool = False) -> PacketScan:
    """Read the timestamps of all packets of the picture, and of the sound for its end; one frame is decoded."""
    found = _Packets()
    with open_container(path) as container:
        video, sound = get_video_stream(container), get_audio_stream(container) if with_audio else None
        rate = float(video.average_rate or FALLBACK_FPS)
        found.plain = bool(INDEXED_FORMATS & set(container.format.name.split(",")))
        for packet in demux_packets(container, *(stream for stream in (video, sound) if stream)):
            seconds = get_timestamp(packet)
            if packet.size and seconds is not None:
                found.add(packet, seconds, packet.stream_index == video.index)
        delay = MAX_REORDER_FRAMES if video.codec_context.has_b_frames else 0
    if not found.shown:
        raise Unreadable("no-frames", "has a video track without a frame whose time is known")
    orderly = _orderly(np.array(found.shown)[:, 0], delay)
    times, durations = np.array(sorted(found.shown)).T
    last = durations[-1] or (float(np.diff(times).mean()) if len(times) > 1 else 0) or 1 / rate
    return PacketScan(
        frame_times=times - times[0],
        start_time=float(times[0]),
        duration=float(times[-1] - times[0] + last),
        container_end=found.end,
        rotation=_rotation(path),
        has_exact_index=found.plain and orderly,
    )


def _orderly(times: NDArray[np.float64], delay: int) -> bool:
    """Whether a decoder that may hold back so many frames gives them in the order of their times."""
    latest = np.maximum.accumulate(times)
    return len(np.unique(times)) == len(times) and bool(np.all(latest[: -delay - 1] < times[delay + 1 :]))


def _rotation(path: str) -> int:
    """Phones film sideways and say so beside the first frame."""
    with open_container(path) as container:
        frame = next(decode_frames(container, get_video_stream(container)), None)
        return round((frame.rotation if frame else 0) / 90) % 4 * 90
