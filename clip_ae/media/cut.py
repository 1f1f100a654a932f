"""A part of a video as a file of its own: decoded and encoded again, so that it begins and ends where it should.

For the guarded child alone.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import TIMESTAMP_TOLERANCE_S
from clip_ae.media.container import (
    demux_packets,
    get_audio_stream,
    get_video_stream,
    open_container,
    scan_packets,
    ticks_to_seconds,
)
from clip_ae.media.mux import TIME_BASE

# Visually the same as its source.
X264_OPTIONS = {"preset": "veryfast", "crf": "18"}
MICROSECONDS = 1_000_000
# Seconds that no film's frame stands: what does is written once more, a moment before the end.
MAX_FRAME_GAP_S, END_MARGIN_S = 0.1, 0.02


def cut_segment(path: str, out_path: str, start: float, stop: float) -> Iterator[float]:
    """Write what is seen and heard from start to stop, seconds after the first frame; yields how far it is."""
    import av

    found = scan_packets(path)
    with open_container(path) as source, av.open(out_path, "w", format="mp4") as target:
        picture, sound = get_video_stream(source), get_audio_stream(source)
        screen = _Picture(target, picture, found.rotation)
        speaker = _Sound(target, sound) if sound else None
        begin, end = found.start_time + start, found.start_time + min(stop, found.duration)
        if found.has_exact_index:
            # To the key frame before. Without an index that may be missed, so all before is decoded and passed over.
            source.seek(max(0, int(begin * MICROSECONDS)))
        for index, frame, seconds in _frames(source, picture, sound, end):
            if index == picture.index and seconds < end:
                screen.show(frame, seconds - begin)
            elif speaker and index != picture.index and begin <= seconds < end:
                speaker.write(frame, seconds - begin)
            yield max(0.0, seconds - begin)
        if begin >= end or screen.shown is None:
            raise Unreadable("no-frames", f"has no frame between {start:.2f} and {stop:.2f} s")
        screen.hold(end - begin)
        for writer in (screen, speaker):
            if writer:
                writer.flush()


def _frames(source: Any, picture: Any, sound: Any, end: float) -> Iterator[tuple[int, Any, float]]:
    """(stream, frame, seconds) until all streams are past the end; what is damaged is left out."""
    from av.error import FFmpegError

    going = {stream.index for stream in (picture, sound) if stream}
    for packet in demux_packets(source, *(stream for stream in (picture, sound) if stream)):
        try:
            decoded = packet.decode()
        except FFmpegError:
            continue
        for frame in decoded:
            if frame.pts is None:
                continue
            seconds = ticks_to_seconds(frame.pts, frame.time_base)
            yield packet.stream_index, frame, seconds
            if seconds >= end:
                going.discard(packet.stream_index)
        if not going:
            return


class _Writer:
    """One stream of the new file; times never go back."""

    def __init__(self, target: Any, stream: Any, clock: Fraction) -> None:
        self.target, self.stream, self.clock = target, stream, clock
        self.last: int | None = None

    def write(self, frame: Any, seconds: float) -> None:
        tick = round(seconds / self.clock)
        if self.last is None or tick > self.last:
            self.last = frame.pts = tick
            frame.time_base = self.clock
            self.target.mux(self.stream.encode(frame))

    def flush(self) -> None:
        self.target.mux(self.stream.encode())


class _Picture(_Writer):
    """What is on display when the part begins may have come long before, and the last frame stays until it ends."""

    def __init__(self, target: Any, source: Any, rotation: int) -> None:
        stream = target.add_stream("libx264", options=X264_OPTIONS)
        # Colour is halved in both directions, so both sides must be even.
        stream.width, stream.height = source.width // 2 * 2, source.height // 2 * 2
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", TIME_BASE
        if rotation:
            stream.set_display_rotation(rotation)
        super().__init__(target, stream, TIME_BASE)
        self.shown: Any = None

    def show(self, frame: Any, seconds: float) -> None:
        if self.shown is not None and self.last is None and seconds > TIMESTAMP_TOLERANCE_S:
            self.write(self.shown, 0.0)
        if seconds >= -TIMESTAMP_TOLERANCE_S:
            self.write(frame, max(0.0, seconds))
        self.shown = frame.reformat(self.stream.width, self.stream.height, "yuv420p")

    def hold(self, seconds: float) -> None:
        """Until then the last frame stays."""
        if self.last is None or seconds - float(self.last * TIME_BASE) > MAX_FRAME_GAP_S:
            self.show(self.shown, seconds - END_MARGIN_S)

    def write(self, frame: Any, seconds: float) -> None:
        super().write(frame.reformat(self.stream.width, self.stream.height, "yuv420p"), seconds)


class _Sound(_Writer):
    def __init__(self, target: Any, source: Any) -> None:
        stream = target.add_stream("aac", rate=48_000, layout="stereo")
        super().__init__(target, stream, Fraction(1, source.rate))
