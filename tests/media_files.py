"""Makes media whose pixels, tones and timestamps are known."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

BITS = 12
# Fine enough for 25, 30, 23.976 and any handmade timestamps; the containers round it as they do.
CLOCK = Fraction(1, 48000)
# On small pictures x264 looks ahead into memory that it has not written: other bytes each time.
STEADY = {"libx264": {"x264-params": "rc-lookahead=0:mbtree=0"}}


def counter_frame(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A frame that shows its number in BITS vertical black or white bars, the highest left."""
    width, height = size
    bits = [(number >> (BITS - 1 - i)) & 1 for i in range(BITS)]
    row = np.array([bits[x * BITS // width] * 255 for x in range(width)], np.uint8)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def read_counter(frame: NDArray[np.uint8]) -> int:
    """The number that a frame shows, at any size."""
    row = frame.mean(axis=(0, 2))
    edges = np.linspace(0, len(row), 2 * BITS + 1)[1::2].astype(int)
    return int("".join("1" if row[x] > 127 else "0" for x in edges), 2)


@contextlib.contextmanager
def priority_kept() -> Iterator[None]:
    """SVT-AV1 gives whoever runs it as root real-time priority, for good: what we start then would starve the rest."""
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


@priority_kept()
def write_video(
    path: Path,
    frames: int = 50,
    fps: float | Fraction = 25,
    size: tuple[int, int] = (96, 64),
    *,
    pts: Sequence[float] | None = None,
    start: float = 0.0,
    tone: Sequence[float] | None = None,
    sound_start: float = 0.0,
    sound_seconds: float | None = None,
    sound_gap: tuple[float, float] = (0.0, 0.0),
    sound_rate: int = 48000,
    codec: str = "libx264",
    sound_codec: str = "aac",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    rotation: int = 0,
    draw: Callable[[int, tuple[int, int]], NDArray[np.uint8]] = counter_frame,
) -> Path:
    """A video of counter frames, or of what `draw` gives, at `pts` seconds (by default start + n / fps), with a sine of
    amplitude 0.5 for each frequency of `tone`, one a channel; what falls in `sound_gap` is never written."""
    rate = Fraction(fps).limit_denominator(1001)
    times = [start + float(n / rate) for n in range(frames)] if pts is None else list(pts)
    with av.open(str(path), "w", options=container or {}) as file:
        picture = file.add_stream(codec, rate=rate)
        picture.width, picture.height, picture.pix_fmt = *size, pix_fmt
        picture.options = {"threads": "1", **STEADY.get(codec, {}), **(options or {})}
        if codec in ("libx264", "libx265"):
            picture.codec_context.time_base = CLOCK
        if rotation:
            picture.set_display_rotation(rotation)
        sound = file.add_stream(sound_codec, rate=sound_rate, layout=_layout(tone)) if tone else None
        clock = picture.codec_context.time_base or 1 / rate
        for number, seconds in enumerate(times):
            frame = av.VideoFrame.from_ndarray(draw(number, size), format="rgb24")
            frame.pts, frame.time_base = round(seconds / clock), clock
            file.mux(picture.encode(frame))
        file.mux(picture.encode())
        if sound and tone:
            seconds = times[-1] + 1 / float(rate) - sound_start if sound_seconds is None else sound_seconds
            _write_sound(file, sound, sine(tone, seconds, sound_rate), sound_start, sound_gap)
    return path


def sine(tone: Sequence[float], seconds: float, rate: int = 48000) -> NDArray[np.float32]:
    """[channels, samples] of amplitude 0.5; a frequency of 0 is silence."""
    t = np.arange(round(seconds * rate)) / rate
    return np.stack([0.5 * np.sin(2 * np.pi * f * t) for f in tone]).astype(np.float32)


def truncated(path: Path, share: float) -> Path:
    """The file cut off after a share of its bytes."""
    # os.truncate cuts in one step. write_bytes leaves the file empty for a moment, and a decoder may read it then.
    os.truncate(path, int(path.stat().st_size * share))
    return path


def cut_before(path: Path, frame: int) -> Path:
    """The file cut off where the packet of a frame begins: for videos without B-frames, so many frames are left."""
    with av.open(str(path)) as file:
        position = next(islice(file.demux(video=0), frame, None)).pos
    path.write_bytes(path.read_bytes()[:position])
    return path


def write_sound(path: Path, tone: Sequence[float], seconds: float, rate: int = 48000) -> Path:
    """A file of sound alone."""
    with av.open(str(path), "w") as file:
        _write_sound(file, file.add_stream("aac", rate=rate, layout=_layout(tone)), sine(tone, seconds, rate))
    return path


def joined(path: Path, *parts: Path) -> Path:
    """The parts' bytes one after another, in one file; the parts are gone."""
    raw = b"".join(part.read_bytes() for part in parts)
    for part in parts:
        part.unlink()
    path.write_bytes(raw)
    return path


def restamped(path: Path, pts: Sequence[float]) -> Path:
    """The packets of a video without B-frames in a Matroska file, displayed at other times, in whatever order."""
    with av.open(str(path)) as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
        with av.open(str(path.with_suffix(".new.mkv")), "w") as file:
            stream = file.add_stream_from_template(source.streams.video[0])
            for packet, seconds in zip(packets, pts, strict=True):
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                # The muxer lets no decoding time be later than the display, and none go back.
                packet.pts, packet.dts = round(seconds * 1000), 0
                file.mux(packet)
    path.with_suffix(".new.mkv").replace(path)
    return path


def _layout(tone: Sequence[float]) -> str:
    return {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(len(tone), f"{len(tone)} channels")


def _write_sound(
    file: av.container.OutputContainer,
    stream: av.AudioStream,
    samples: NDArray[np.float32],
    start: float = 0.0,
    gap: tuple[float, float] = (0.0, 0.0),
) -> None:
    size, rate = 1024, stream.rate
    for first in range(0, samples.shape[1], size):
        if gap[0] <= first / rate < gap[1]:
            continue
        # Interleaved: av cannot fill eight planes.
        piece = samples[:, first : first + size].T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(piece, format="flt", layout=stream.layout.name)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(start * rate) + first
        file.mux(stream.encode(frame))
    file.mux(stream.encode())
