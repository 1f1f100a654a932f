"""Read the timestamps of a video from its packets, without decoding more than one frame."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import TIMESTAMP_TOLERANCE_S
from clip_ae.media.container import (
    decode_frames,
    demux_packets,
    get_audio_stream,
    get_timestamp,
    get_video_stream,
    open_container,
    ticks_to_seconds,
)

# Formats with an index. In others decord loses frames and silently returns neighbouring ones.
INDEXED_FORMATS = {"avi", "matroska", "mov"}
# Frames that a decoder may hold back to sort them: the largest number that any codec allows.
MAX_REORDER_FRAMES = 16
# Frame rate for a single frame that states neither a duration nor a rate.
FALLBACK_FPS = 25.0


@dataclass(frozen=True)
class PacketScan:
    """What the packets of a video state about time."""

    # Display time of each frame, in seconds after the first frame.
    frame_times: NDArray[np.float64]
    # The container's own timestamp of t = 0, in seconds.
    start_time: float
    # Seconds from the first frame to the end of the last frame's display.
    duration: float
    # End of the last video packet, and of the last audio packet if audio was scanned, by the container's own clock.
    container_end: float
    # Degrees by which each frame must be turned, counterclockwise.
    rotation: int
    # Frames that the file has: an edit list may display each of them many times.
    num_stored_frames: int
    # True for an indexed file in which each packet is one whole frame: decoded frame n has the time frame_times[n].
    has_exact_index: bool

    @property
    def fps(self) -> float:
        return len(self.frame_times) / self.duration

    def is_on_display(self, frame_time: float, time: float) -> bool:
        """Return whether the frame of `frame_time` is still on display at `time`: no later frame was lost."""
        due_time = self.frame_times[np.searchsorted(self.frame_times, time + TIMESTAMP_TOLERANCE_S, side="right") - 1]
        # Interlaced video may have two packets for each frame, the second one packet later.
        return bool(due_time < frame_time + 1.5 / self.fps)


def scan_packets(path: str, *, with_audio: bool = False) -> PacketScan:
    """Read the timestamps of all video packets, and of the audio packets for their end if `with_audio`."""
    with open_container(path) as container:
        video = get_video_stream(container)
        audio = get_audio_stream(container) if with_audio else None
        is_indexed = bool(INDEXED_FORMATS & set(container.format.name.split(",")))
        frame_rate = float(video.average_rate or FALLBACK_FPS)
        timestamps = _PacketTimes(has_plain_packets=is_indexed)
        timestamps.read(demux_packets(container, *(stream for stream in (video, audio) if stream)), video.index)
        reorder_frames = MAX_REORDER_FRAMES if video.codec_context.has_b_frames else 0
    if not timestamps.frames:
        raise Unreadable("no-frames", "has a video track, but no frame in it has a timestamp")
    is_in_order = _is_in_display_order(np.array(timestamps.frames)[:, 0], reorder_frames)
    times, durations = np.array(sorted(timestamps.frames)).T
    last_duration = durations[-1] or (float(np.diff(times).mean()) if len(times) > 1 else 0) or 1 / frame_rate
    return PacketScan(
        frame_times=times - times[0],
        start_time=float(times[0]),
        duration=float(times[-1] - times[0] + last_duration),
        container_end=timestamps.end,
        rotation=_read_rotation(path),
        num_stored_frames=timestamps.num_stored_frames,
        has_exact_index=timestamps.has_plain_packets and is_in_order,
    )


@dataclass
class _PacketTimes:
    """Timestamps collected from packets, in file order."""

    # Whether each video packet is displayed, undamaged, and states its display time.
    has_plain_packets: bool
    # (display time, duration) of each frame, in seconds.
    frames: list[tuple[float, float]] = field(default_factory=list)
    end: float = 0.0
    num_stored_frames: int = 0
    # Place in the file of the video packet that is furthest on. A repeated packet is not beyond it.
    furthest: int = -1

    def read(self, packets: Iterable[Any], video_index: int) -> None:
        for packet in packets:
            seconds = get_timestamp(packet)
            if packet.size and seconds is not None:
                self._add(packet, seconds, is_video=packet.stream_index == video_index)

    def _add(self, packet: Any, seconds: float, *, is_video: bool) -> None:
        duration = ticks_to_seconds(packet.duration or 0, packet.time_base)
        self.end = max(self.end, seconds + duration)
        if is_video and packet.is_discard:
            # Frames outside an edit list are decoded, never displayed.
            self.has_plain_packets = False
        elif is_video:
            self.has_plain_packets = self.has_plain_packets and packet.pts is not None and not packet.is_corrupt
            self.frames.append((seconds, duration))
            position = packet.pos
            if position is None or position < 0 or position > self.furthest:
                self.num_stored_frames += 1
                self.furthest = max(self.furthest, position or 0)


def _is_in_display_order(times: NDArray[np.float64], reorder_frames: int) -> bool:
    """Return whether a decoder that holds back at most `reorder_frames` frames outputs them in order of time."""
    latest = np.maximum.accumulate(times)
    return len(np.unique(times)) == len(times) and bool(
        np.all(latest[: -reorder_frames - 1] < times[reorder_frames + 1 :])
    )


def _read_rotation(path: str) -> int:
    """Return the rotation in degrees that phones write as side data of the first frame."""
    with open_container(path) as container:
        frame = next(decode_frames(container, get_video_stream(container)), None)
        return round((frame.rotation if frame else 0) / 90) % 4 * 90
