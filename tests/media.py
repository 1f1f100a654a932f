"""Makes media whose pixels, tones and timestamps are known."""

from collections.abc import Sequence
from fractions import Fraction
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
    codec: str = "libx264",
    sound_codec: str = "aac",
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    rotation: int = 0,
) -> Path:
    """A video of counter frames at `pts` seconds (by default start + n / fps), with a sine of amplitude 0.5 for each
    frequency of `tone`, one a channel; what falls in `sound_gap` is never written."""
    rate = Fraction(fps).limit_denominator(1001)
    times = [start + float(n / rate) for n in range(frames)] if pts is None else list(pts)
    with av.open(str(path), "w", options=container or {}) as file:
        picture = file.add_stream(codec, rate=rate)
        picture.width, picture.height, picture.pix_fmt = *size, "yuv420p"
        picture.options = {"threads": "1", **STEADY.get(codec, {}), **(options or {})}
        if codec in ("libx264", "libx265"):
            picture.codec_context.time_base = CLOCK
        if rotation:
            picture.set_display_rotation(rotation)
        sound = file.add_stream(sound_codec, rate=48000, layout=_layout(tone)) if tone else None
        clock = picture.codec_context.time_base or 1 / rate
        for number, seconds in enumerate(times):
            frame = av.VideoFrame.from_ndarray(counter_frame(number, size), format="rgb24")
            frame.pts, frame.time_base = round(seconds / clock), clock
            file.mux(picture.encode(frame))
        file.mux(picture.encode())
        if sound and tone:
            seconds = times[-1] + 1 / float(rate) - sound_start if sound_seconds is None else sound_seconds
            _write_sound(file, sound, sine(tone, seconds), sound_start, sound_gap)
    return path


def sine(tone: Sequence[float], seconds: float, rate: int = 48000) -> NDArray[np.float32]:
    """[channels, samples] of amplitude 0.5; a frequency of 0 is silence."""
    t = np.arange(round(seconds * rate)) / rate
    return np.stack([0.5 * np.sin(2 * np.pi * f * t) for f in tone]).astype(np.float32)


def truncated(path: Path, share: float) -> Path:
    """The file cut off after a share of its bytes."""
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    return path


def _layout(tone: Sequence[float]) -> str:
    return {1: "mono", 2: "stereo"}[len(tone)]


def _write_sound(
    file: av.container.OutputContainer,
    stream: av.AudioStream,
    samples: NDArray[np.float32],
    start: float,
    gap: tuple[float, float],
) -> None:
    size, rate = 1024, 48000
    for first in range(0, samples.shape[1], size):
        if gap[0] <= first / rate < gap[1]:
            continue
        piece = np.ascontiguousarray(samples[:, first : first + size])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=stream.layout.name)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(start * rate) + first
        file.mux(stream.encode(frame))
    file.mux(stream.encode())
