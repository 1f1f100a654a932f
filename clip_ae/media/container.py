"""Open media containers as untrusted input, and read their packets and frames.

No link or playlist in a file can make this process read another file or address.
av is imported inside the functions: only the decoder's child process may load it.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from clip_ae.core.errors import Unreadable

# Text formats that name other files or addresses to read.
PLAYLIST_FORMATS = {"concat", "dash", "hls", "imf", "webm_dash_manifest"}
PLAYLIST_MESSAGE = "names other files to play; put the videos themselves in the folder"
# By default FFmpeg starts a thread, with memory for frames, for each core of the machine.
DECODER_THREADS = 2
# The largest frame that is decoded: 8192 x 8192. A file of 100 kB can contain one that fills gigabytes.
MAX_PIXELS = 1 << 26
CODEC_OPTIONS = {"max_pixels": str(MAX_PIXELS)}


@contextlib.contextmanager
def open_container(path: str) -> Iterator[Any]:
    """Yield an av container; Unreadable if the file is missing, not readable, a device, a playlist or no media."""
    import av

    if Path(path).is_char_device() or Path(path).is_block_device():
        raise Unreadable("device", "is a device, or a link to one, which can produce data without end; not opened")
    try:
        options = {"protocol_whitelist": "file", **CODEC_OPTIONS}
        container = av.open(os.path.abspath(path), options=options, metadata_errors="replace")
    except FileNotFoundError:
        raise Unreadable("missing", "no such file, or a broken link") from None
    except PermissionError as error:
        # FFmpeg has the same error for names in a playlist that it refuses. The playlist itself can be read.
        if error.errno == errno.EPERM and _can_be_read(path):
            raise Unreadable("playlist", PLAYLIST_MESSAGE) from None
        raise Unreadable("permission", "not readable; give yourself read permission") from None
    except av.error.FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from None
        raise Unreadable("not-a-video", f"cannot be opened as media: {error.strerror}") from None
    with container:
        if PLAYLIST_FORMATS & set(container.format.name.split(",")):
            raise Unreadable("playlist", PLAYLIST_MESSAGE)
        yield container


def _can_be_read(path: str) -> bool:
    try:
        with open(path, "rb"):
            return True
    except OSError:
        return False


def get_video_stream(container: Any) -> Any:
    """Return the video stream; Unreadable if there is none that can be decoded."""
    from av.stream import Disposition

    stream = container.streams.best("video")
    if stream is None or stream.disposition & Disposition.attached_pic:
        raise Unreadable("no-video", "has no video track")
    if stream.codec_context is None:
        raise Unreadable("codec", "its video has a codec that cannot be decoded here; convert it")
    # FFmpeg gives frames that are too large no size.
    if not 0 < stream.width * stream.height <= MAX_PIXELS:
        raise Unreadable("size", "its frames have no size, or more than 67 million pixels; scale the video down")
    # A frame may be larger than the container states.
    stream.codec_context.options = CODEC_OPTIONS
    return stream


def get_audio_stream(container: Any) -> Any:
    """Return the audio stream, or None if there is none that can be decoded."""
    stream = container.streams.best("audio")
    return stream if stream and stream.codec_context else None


def demux_packets(container: Any, *streams: Any) -> Iterator[Any]:
    """Yield packets up to the end of the file, or up to the point where it is cut off."""
    from av.error import FFmpegError

    # At the end av raises IndexError on streams that began midway, as in recorded broadcasts.
    with contextlib.suppress(FFmpegError, IndexError):
        # The demuxer ends with an empty packet for each stream, which flushes the decoder.
        yield from container.demux(*streams)


def decode_frames(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the frames that can be decoded; skip those of a damaged packet."""
    from av.error import FFmpegError

    for packet in demux_packets(container, stream):
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except FFmpegError:
            continue
        yield from frames


def get_timestamp(packet_or_frame: Any) -> float | None:
    """Return the display time in seconds by the container's clock; the decoding time in AVI, which states no other."""
    ticks = packet_or_frame.dts if packet_or_frame.pts is None else packet_or_frame.pts
    return None if ticks is None else ticks_to_seconds(ticks, packet_or_frame.time_base)


def ticks_to_seconds(ticks: int, time_base: Fraction) -> float:
    """Return ticks * time_base, as exact as a product of fractions and ten times faster."""
    return ticks * time_base.numerator / time_base.denominator
