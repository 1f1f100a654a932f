"""Write a part of a video as a file of its own, re-encoded so that it starts and stops at the given times.

Only the decoder's child process may call this.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import IO, Any

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import TIMESTAMP_TOLERANCE_S
from clip_ae.media.container import (
    demux_packets,
    get_audio_stream,
    get_video_stream,
    open_container,
    ticks_to_seconds,
)
from clip_ae.media.mux import TIME_BASE
from clip_ae.media.packet_scan import scan_packets

# Visually equal to the source.
X264_OPTIONS = {"preset": "veryfast", "crf": "18"}
MICROSECONDS = 1_000_000
# If the last frame stays on display for longer than MAX_FRAME_GAP_S seconds, which no film has, it is written once
# more, END_MARGIN_S seconds before the end.
MAX_FRAME_GAP_S, END_MARGIN_S = 0.1, 0.02


def cut_segment(path: str, out: IO[bytes], start: float, stop: float) -> Iterator[float]:
    """Write video and audio from start to stop, in seconds after the first frame; yield the seconds written so far."""
    import av

    scan = scan_packets(path)
    with open_container(path) as source, av.open(out, "w", format="mp4") as target:
        video, audio = get_video_stream(source), get_audio_stream(source)
        video_writer = _VideoWriter(target, video, scan.rotation)
        audio_writer = _AudioWriter(target, audio) if audio else None
        begin, end = scan.start_time + start, scan.start_time + min(stop, scan.duration)
        if scan.has_exact_index:
            # Go to the key frame before. Without an index a seek may miss it, so decode from the start of the file.
            source.seek(max(0, int(begin * MICROSECONDS)))
        for stream_index, frame, seconds in _decode_until(source, video, audio, end):
            if stream_index == video.index and seconds < end:
                video_writer.add(frame, seconds - begin)
            elif audio_writer and stream_index != video.index and begin <= seconds < end:
                audio_writer.write(frame, seconds - begin)
            yield max(0.0, seconds - begin)
        if begin >= end or video_writer.last_frame is None:
            raise Unreadable("no-frames", f"has no frame between {start:.2f} and {stop:.2f} s")
        video_writer.hold_until(end - begin)
        video_writer.flush()
        if audio_writer:
            audio_writer.flush()


def _decode_until(source: Any, video: Any, audio: Any, end: float) -> Iterator[tuple[int, Any, float]]:
    """Yield (stream index, frame, seconds) until all streams are past `end`; skip damaged packets."""
    from av.error import FFmpegError

    streams = [stream for stream in (video, audio) if stream]
    unfinished = {stream.index for stream in streams}
    for packet in demux_packets(source, *streams):
        try:
            frames = packet.decode()
        except FFmpegError:
            continue
        for frame in frames:
            if frame.pts is None:
                continue
            seconds = ticks_to_seconds(frame.pts, frame.time_base)
            yield packet.stream_index, frame, seconds
            if seconds >= end:
                unfinished.discard(packet.stream_index)
        if not unfinished:
            return


class _StreamWriter:
    """Encodes one stream of the new file; drops frames whose time does not increase."""

    def __init__(self, target: Any, stream: Any, time_base: Fraction) -> None:
        self.target, self.stream, self.time_base = target, stream, time_base
        self.last_tick: int | None = None

    def write(self, frame: Any, seconds: float) -> None:
        tick = round(seconds / self.time_base)
        if self.last_tick is None or tick > self.last_tick:
            self.last_tick = frame.pts = tick
            frame.time_base = self.time_base
            self.target.mux(self.stream.encode(frame))

    def flush(self) -> None:
        self.target.mux(self.stream.encode())


class _VideoWriter(_StreamWriter):
    """Writes the frame on display at the start, which may be much older, and keeps the last frame up to the end."""

    def __init__(self, target: Any, source: Any, rotation: int) -> None:
        stream = target.add_stream("libx264", options=X264_OPTIONS)
        # yuv420p halves colour in both directions, so both sides must be even.
        stream.width, stream.height = source.width // 2 * 2, source.height // 2 * 2
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", TIME_BASE
        if rotation:
            stream.set_display_rotation(rotation)
        super().__init__(target, stream, TIME_BASE)
        self.last_frame: Any = None

    def add(self, frame: Any, seconds: float) -> None:
        """Write a frame at `seconds` after the start; one from before the start is kept for time 0."""
        if self.last_frame is not None and self.last_tick is None and seconds > TIMESTAMP_TOLERANCE_S:
            self.write(self.last_frame, 0.0)
        if seconds >= -TIMESTAMP_TOLERANCE_S:
            self.write(frame, max(0.0, seconds))
        self.last_frame = self._reformat(frame)

    def hold_until(self, seconds: float) -> None:
        """Keep the last frame on display up to `seconds`."""
        if self.last_tick is None or seconds - float(self.last_tick * TIME_BASE) > MAX_FRAME_GAP_S:
            self.add(self.last_frame, seconds - END_MARGIN_S)

    def write(self, frame: Any, seconds: float) -> None:
        super().write(self._reformat(frame), seconds)

    def _reformat(self, frame: Any) -> Any:
        return frame.reformat(self.stream.width, self.stream.height, "yuv420p")


class _AudioWriter(_StreamWriter):
    """Writes 48 kHz stereo AAC."""

    def __init__(self, target: Any, source: Any) -> None:
        stream = target.add_stream("aac", rate=48_000, layout="stereo")
        super().__init__(target, stream, Fraction(1, source.rate))
