"""Damaged and unusual videos: a function that makes each one, and what must be read from it.

Frames show their numbers (tests/media_files.py). Most videos have 48 of them at 25 a second: three snippets.
"""

import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.media_files import cut_before, joined, restamped, write_sound, write_video

Make = Callable[[Path], object]

FRAME_TIMES = [n / 25 for n in range(48)]
WITH_AUDIO: dict[str, Any] = {"tone": [440]}
NO_B_FRAMES: dict[str, Any] = {"options": {"bf": "0"}}
FASTSTART = {"movflags": "faststart"}
# The clock of a transport stream has 33 bits: this is a second before it wraps.
WRAP = 2**33 / 90000 - 1


def make_clip(**options: Any) -> Make:
    return lambda path: write_video(path, **{"frames": 48, **options})


def cut_video(**options: Any) -> Make:
    """Keep 50 of 100 frames."""
    return lambda path: cut_before(write_video(path, frames=100, **NO_B_FRAMES, **options), 50)


def with_times(times: Sequence[float]) -> Make:
    return lambda path: restamped(write_video(path, frames=len(times), **NO_B_FRAMES), times)


def two_sizes(path: Path) -> Path:
    parts = [path.with_name(f"part-{n}.ts") for n in range(2)]
    for n, size in enumerate([(96, 64), (64, 128)]):
        write_video(parts[n], frames=24, size=size, start=24 * n / 25, **NO_B_FRAMES)
    return joined(path, *parts)


def patched(path: Path, tag: bytes, offset: int, form: str, *values: int) -> None:
    """Overwrite numbers at an offset from the end of a tag."""
    raw = bytearray(path.read_bytes())
    struct.pack_into(form, raw, raw.index(tag) + len(tag) + offset, *values)
    path.write_bytes(raw)


def overclaiming_avi(path: Path) -> None:
    """Write a header that states 120 frames, in the part of the file and in the part of the stream."""
    write_video(path, frames=48, codec="mpeg4")
    patched(path, b"avih", 4 + 16, "<I", 120)
    patched(path, b"strh", 4 + 32, "<I", 120)


def hollow_mp4(path: Path) -> None:
    """Write an index of 48 frames, of which the last 20 have no bytes."""
    write_video(path, frames=48, **NO_B_FRAMES)
    patched(path, b"stsz", 12 + 4 * 28, ">20I", *[0] * 20)


def with_codec(old: bytes, new: bytes) -> Make:
    """Write a Matroska file that states an unknown codec."""

    def make(path: Path) -> None:
        raw = write_video(path, frames=48, **WITH_AUDIO).read_bytes()
        assert old in raw
        path.write_bytes(raw.replace(old, new))

    return make


@dataclass(frozen=True)
class Case:
    """A file, and what must be read from it: coverage of each snippet, and the number on each frame of the grid."""

    make: Make
    video_coverage: Sequence[float] = (1, 1, 1)
    frame_numbers: Sequence[int] = range(48)
    audio_coverage: Sequence[float] = (0, 0, 0)
    size: tuple[int, int] = (96, 64)
    # Amplitude of the audio, if its coverage is full.
    amplitude: float = 0.5
    # Quarter turns, counterclockwise.
    quarter_turns: int = 0
    # Reason of the status `partial`.
    reason: str = ""


FULL_AUDIO = (1, 1, 1)
HALF_MISSING: dict[str, Any] = {
    "video_coverage": (1, 1, 1, 2 / 16, 0, 0),
    "frame_numbers": [*range(50), *[49] * 46],
    "audio_coverage": (0,) * 6,
}
CASES = {
    # Codecs and containers.
    "av1.mp4": Case(make_clip(codec="libsvtav1", options={"preset": "10"})),
    "web.webm": Case(make_clip(codec="libvpx", sound_codec="libopus", **WITH_AUDIO), audio_coverage=FULL_AUDIO),
    "matroska.mkv": Case(make_clip(sound_codec="flac", **WITH_AUDIO), audio_coverage=FULL_AUDIO),
    "old.avi": Case(make_clip(codec="mpeg4", sound_codec="pcm_s16le", **WITH_AUDIO), audio_coverage=FULL_AUDIO),
    "stream.ts": Case(make_clip(**WITH_AUDIO), audio_coverage=FULL_AUDIO),
    "disc.mpg": Case(make_clip(codec="mpeg2video", sound_codec="mp2", **WITH_AUDIO), audio_coverage=FULL_AUDIO),
    # Less than the header states.
    "cut-faststart.mp4": Case(
        cut_video(container=FASTSTART), **HALF_MISSING, reason="2.00 of 4.00 claimed seconds are there"
    ),
    "cut-matroska.mkv": Case(cut_video(), **HALF_MISSING, reason="2.00 of 4.00 claimed seconds are there"),
    "cut-avi.avi": Case(cut_video(codec="mpeg4"), **HALF_MISSING, reason="2.00 of 4.00 claimed seconds are there"),
    # A transport stream states no length.
    "cut-stream.ts": Case(cut_video()),
    "overclaiming.avi": Case(
        overclaiming_avi,
        video_coverage=[1, 1, 1, 0, 0, 0, 0, 0],
        frame_numbers=[*range(48), *[47] * 80],
        audio_coverage=[0] * 8,
        reason="1.92 of 4.80 claimed seconds are there",
    ),
    "hollow.mp4": Case(
        hollow_mp4,
        video_coverage=[1, 12 / 16, 0],
        frame_numbers=[*range(28), *[27] * 20],
        reason="1.12 of 1.92 claimed seconds are there",
    ),
    "one-frame.mp4": Case(make_clip(frames=1), video_coverage=[1 / 16], frame_numbers=[0] * 16, audio_coverage=[0]),
    # Sound.
    "no-sound-in-track.mkv": Case(make_clip(sound_seconds=0.0, **WITH_AUDIO)),
    "sound-of-unknown-codec.mkv": Case(with_codec(b"A_AAC", b"A_XYZ")),
    "sound-longer.mp4": Case(make_clip(sound_seconds=4.0, **WITH_AUDIO), audio_coverage=FULL_AUDIO),
    "sound-shorter.mp4": Case(make_clip(sound_seconds=0.96, **WITH_AUDIO), audio_coverage=[1, 0.5, 0]),
    "8-khz.mp4": Case(make_clip(sound_rate=8000, **WITH_AUDIO), audio_coverage=FULL_AUDIO),
    "96-khz.mp4": Case(make_clip(sound_rate=96000, **WITH_AUDIO), audio_coverage=FULL_AUDIO),
    "5.1.mp4": Case(make_clip(tone=[440, 440, 440, 0, 440, 440]), audio_coverage=FULL_AUDIO, amplitude=0.5 * 5 / 6),
    "sound-2-s-before.mp4": Case(make_clip(start=2.0, sound_seconds=2.64, **WITH_AUDIO), audio_coverage=[1, 0, 0]),
    "sound-2-s-before-too.ts": Case(make_clip(start=2.0, sound_seconds=2.64, **WITH_AUDIO), audio_coverage=[1, 0, 0]),
    # Time.
    "long-gap.mp4": Case(
        make_clip(pts=[*FRAME_TIMES[:20], *(4 + t for t in FRAME_TIMES[20:32])]),
        video_coverage=[1] * 8,
        frame_numbers=[*range(20), *[19] * 100, *range(20, 28)],
        audio_coverage=[0] * 8,
    ),
    "twice-the-same-time.mkv": Case(
        with_times([*FRAME_TIMES[:24], *[FRAME_TIMES[23]] * 8, *FRAME_TIMES[32:]]),
        frame_numbers=[*range(24), *[23] * 8, *range(32, 48)],
    ),
    # A frame whose time goes back is never displayed.
    "back-in-time.mkv": Case(
        with_times([*FRAME_TIMES[:24], *(t - 0.42 for t in FRAME_TIMES[24:34]), *FRAME_TIMES[34:]]),
        video_coverage=[1, 1, 1],
        frame_numbers=[*range(24), *[23] * 10, *range(34, 48)],
    ),
    "reversed.mkv": Case(with_times(FRAME_TIMES[::-1]), video_coverage=[0, 0, 1 / 16], frame_numbers=[0] * 48),
    # Frames before 0 are for the decoder only.
    "negative.mp4": Case(
        make_clip(start=-1.0, container={"avoid_negative_ts": "disabled"}),
        video_coverage=[1],
        frame_numbers=range(25, 41),
        audio_coverage=[0],
    ),
    "wraps.ts": Case(make_clip(start=WRAP, sound_start=WRAP, **WITH_AUDIO), audio_coverage=FULL_AUDIO),
    # Pictures.
    "rotated.mp4": Case(make_clip(rotation=90), size=(64, 96), quarter_turns=1),
    "portrait.mp4": Case(make_clip(size=(64, 96)), size=(64, 96)),
    "odd-mpeg4.avi": Case(make_clip(codec="mpeg4", size=(97, 65)), size=(97, 65)),
    "odd-vp8.webm": Case(make_clip(codec="libvpx", size=(97, 65)), size=(97, 65)),
    "odd-444.mp4": Case(make_clip(pix_fmt="yuv444p", size=(97, 65)), size=(97, 65)),
    "wide.mp4": Case(make_clip(size=(2000, 16)), size=(2000, 16)),
    "10-bit.mp4": Case(make_clip(pix_fmt="yuv420p10le")),
    "10-bit-hevc.mkv": Case(
        make_clip(codec="libx265", pix_fmt="yuv420p10le", options={"x265-params": "log-level=none"})
    ),
    "full-range.mp4": Case(make_clip(pix_fmt="yuvj420p")),
    "interlaced.mp4": Case(make_clip(options={"x264-params": "tff=1:rc-lookahead=0:mbtree=0"})),
    "interlaced-fields.ts": Case(make_clip(options={"x264-params": "tff=1:rc-lookahead=0:mbtree=0"})),
    "two-sizes.ts": Case(two_sizes, frame_numbers=[*range(24), *range(24)]),
    "4k.mp4": Case(
        make_clip(frames=8, size=(3840, 2160), options={"preset": "ultrafast"}),
        video_coverage=[0.5],
        frame_numbers=[*range(8), *[7] * 8],
        audio_coverage=[0],
        size=(3840, 2160),
    ),
}


def bare_stream(path: Path) -> None:
    """Write H.264 without a container, so without times of frames."""
    write_video(path.with_suffix(".h264")).rename(path)


def stalling_pipe(path: Path) -> None:
    """Make a pipe that returns half of a video, then blocks because a writer is still open."""
    whole = write_video(path.with_name("whole.ts"), frames=100)
    os.mkfifo(path)
    os.write(os.open(path, os.O_RDWR), whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()


# Files without a usable video, and the kind of their failure.
BROKEN: dict[str, tuple[Make, str]] = {
    "empty.mp4": (lambda path: path.touch(), "empty"),
    "text.mp4": (lambda path: path.write_text("I am no video.\n" * 100), "not-a-video"),
    "dangling.mp4": (lambda path: path.symlink_to("nowhere"), "missing"),
    "loop.mp4": (lambda path: path.symlink_to(path.name), "not-a-video"),
    "index-lost.mp4": (cut_video(), "not-a-video"),
    "sound-alone.mp4": (lambda path: write_sound(path, [440], 2.0), "no-video"),
    "bare-stream.mp4": (bare_stream, "no-frames"),
    "unknown-codec.mkv": (with_codec(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"), "codec"),
    "directory.mp4": (lambda path: path.mkdir(), "not-a-video"),
    "stalls.ts": (stalling_pipe, "timeout"),
}
