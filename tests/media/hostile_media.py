"""Files that are broken on purpose or by accident: a function that makes each, and its expected failures."""

import functools
import os
import random
import socket
import struct
import tempfile
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from tests.media_files import write_video

Make = Callable[[Path], object]


@dataclass(frozen=True)
class Hostile:
    """A file, and its kind of failure by stage; empty if it can be read."""

    make: Make
    failures: dict[str, str] = field(default_factory=dict)


# --- complete videos with audio, in all common containers ---

WITH_AUDIO: dict[str, Any] = {"frames": 48, "tone": [440]}
CONTAINERS: dict[str, dict[str, Any]] = {
    "mp4": {"container": {"movflags": "faststart"}},
    "mkv": {"sound_codec": "flac"},
    "webm": {"codec": "libvpx", "sound_codec": "libopus"},
    "avi": {"codec": "mpeg4", "sound_codec": "pcm_s16le"},
    "ts": {},
    "flv": {},
    "mpg": {"codec": "mpeg2video", "sound_codec": "mp2"},
}


@functools.cache
def whole(container: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_video(Path(folder) / f"x.{container}", **WITH_AUDIO, **CONTAINERS[container]).read_bytes()


# --- random damage, the same in each run ---

# Bytes at the start of a file, which contain the headers.
HEAD = 4096
# False sizes and counts.
EXTREME = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def with_changed_bytes(container: str, seed: int) -> Make:
    """Change some bytes of the head."""

    def make(path: Path) -> None:
        raw, rng = bytearray(whole(container)), random.Random(seed)
        for _ in range(rng.choice([1, 4, 32])):
            raw[rng.randrange(HEAD)] = rng.randrange(256)
        path.write_bytes(raw)

    return make


def with_extreme_numbers(container: str, seed: int) -> Make:
    """Set three numbers of the head, which may be sizes or counts, to the smallest or largest values."""

    def make(path: Path) -> None:
        raw, rng = bytearray(whole(container)), random.Random(seed)
        for _ in range(3):
            struct.pack_into(rng.choice("<>") + "I", raw, rng.randrange(4, HEAD), rng.choice(EXTREME))
        path.write_bytes(raw)

    return make


def cut_short(container: str, share: float) -> Make:
    return lambda path: path.write_bytes(whole(container)[: int(share * len(whole(container)))])


DAMAGE: dict[str, Make] = {
    f"{container}-{name}-{n}.{container}": damage(container, value)
    for container in CONTAINERS
    for name, damage, values in (
        ("flipped", with_changed_bytes, range(14)),
        ("overstated", with_extreme_numbers, range(14)),
        ("shortened", cut_short, (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.97, 0.999)),
    )
    for n, value in enumerate(values)
}


# --- false statements in headers ---


def with_numbers(container: str, *patches: tuple[bytes, int, str, tuple[int, ...]]) -> Make:
    """Overwrite numbers at an offset from the end of each occurrence of a tag."""

    def make(path: Path) -> None:
        raw = bytearray(whole(container))
        for tag, offset, form, values in patches:
            assert tag in raw, tag
            at = raw.find(tag)
            while at >= 0:
                struct.pack_into(form, raw, at + len(tag) + offset, *values)
                at = raw.find(tag, at + 1)
        path.write_bytes(raw)

    return make


def with_audio_header(channels: int, rate: int) -> Make:
    """Make an AVI whose header states these channels and samples a second for its audio, 16-bit PCM."""
    return with_numbers("avi", (b"strf\x10\x00\x00\x00\x01\x00", 0, "<HI", (channels, rate)))


MAX_U32 = 0xFFFFFFFF
# Offset of the tick length, a fraction, in an AVI's stream header.
TICK_OFFSET = 4 + 20
LIES: dict[str, Hostile] = {
    # Time.
    "centuries.mp4": Hostile(
        with_numbers(
            "mp4", (b"mvhd", 12, ">II", (1, MAX_U32)), (b"mdhd", 16, ">I", (MAX_U32,)), (b"tkhd", 20, ">I", (MAX_U32,))
        )
    ),
    "ticks-of-a-second.mp4": Hostile(with_numbers("mp4", (b"mdhd", 12, ">I", (1,))), {"probe": "timestamps"}),
    "no-ticks.mp4": Hostile(with_numbers("mp4", (b"mdhd", 12, ">I", (0,))), {"probe": "timestamps"}),
    "long-frames.mp4": Hostile(with_numbers("mp4", (b"stts", 12, ">I", (0x7FFFFFFF,))), {"probe": "timestamps"}),
    "days-apart.mkv": Hostile(lambda path: write_video(path, pts=[0, 86000]), {"probe": "timestamps"}),
    "1e9-a-second.avi": Hostile(with_numbers("avi", (b"strh", TICK_OFFSET, "<II", (1, 10**9)))),
    "0-0-a-second.avi": Hostile(with_numbers("avi", (b"strh", TICK_OFFSET, "<II", (0, 0))), {"audio": "partial"}),
    "one-in-decades.avi": Hostile(
        with_numbers("avi", (b"strh", TICK_OFFSET, "<II", (0x7FFFFFFF, 1))), {"probe": "timestamps"}
    ),
    # Counts.
    "4e9-times.mp4": Hostile(with_numbers("mp4", (b"stts", 4, ">I", (MAX_U32,))), {"probe": "memory"}),
    "4e9-frames.mp4": Hostile(with_numbers("mp4", (b"stsz", 4, ">II", (1, MAX_U32))), {"probe": "no-frames"}),
    "2e9-frames.avi": Hostile(
        with_numbers("avi", (b"avih", 4 + 16, "<I", (2**31,)), (b"strh", 4 + 32, "<I", (2**31,))), {"probe": "partial"}
    ),
    "5e7-frames.mp4": Hostile(
        with_numbers("mp4", (b"stsz", 4, ">II", (1, 5 * 10**7)), (b"stsc", 12, ">I", (5 * 10**7,))),
        {"probe": "no-frames"},
    ),
    # An index of 23 MB, in a file of 20 kB.
    "3e5-frames.mp4": Hostile(
        with_numbers("mp4", (b"stsz", 4, ">II", (1, 3 * 10**5)), (b"stsc", 12, ">I", (3 * 10**5,))),
        {"rgb": "partial", "audio": "partial"},
    ),
    # Audio.
    "65535-channels.avi": Hostile(with_audio_header(65535, 48000)),
    "1000-channels.avi": Hostile(with_audio_header(1000, 48000)),
    "64-channels.mkv": Hostile(lambda path: write_video(path, tone=[440] * 64, sound_codec="pcm_s16le")),
    "no-channels.avi": Hostile(with_audio_header(0, 48000)),
    "1-a-second.avi": Hostile(with_audio_header(1, 1), {"audio": "rate"}),
    "2e9-a-second.avi": Hostile(with_audio_header(1, 2**31 - 1), {"audio": "rate"}),
    "4e9-a-second.avi": Hostile(with_audio_header(1, MAX_U32), {"probe": "not-a-video"}),
    # Frames.
    "65535-wide.avi": Hostile(with_numbers("avi", (b"strf\x28\x00\x00\x00\x28\x00\x00\x00", 0, "<II", (65535, 65535)))),
    "16383-wide.webm": Hostile(with_numbers("webm", (b"\x9d\x01\x2a", 0, "<HH", (16383, 16383))), {"rgb": "partial"}),
}


# --- bombs: small on disk, and huge when decompressed ---


def write_png_video(path: Path, pictures: list[bytes], claimed: tuple[int, int]) -> Path:
    """Write a video of PNG images with any content."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = *claimed, "rgb24"
        for number, content in enumerate(pictures):
            packet = av.Packet(content)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.duration, packet.is_keyframe = 1, True
            file.mux(packet)
    return path


def black(width: int, height: int, depth: int = 8, colour: int = 2, samples: int = 3) -> bytes:
    """Return a black PNG, a thousandth of its decompressed size."""

    def chunk(tag: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + tag + content + struct.pack(">I", zlib.crc32(tag + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    content = zeros(height * (1 + width * samples * depth // 8))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def zeros(count: int, piece: int = 1 << 20) -> bytes:
    """Return zero bytes compressed by zlib, without ever storing all of them."""
    compressor = zlib.compressobj(9, wbits=-15)
    repeated = compressor.compress(bytes(piece)) + compressor.flush(zlib.Z_FULL_FLUSH)
    rest = compressor.compress(bytes(count % piece)) + compressor.flush()
    return b"\x78\xda" + repeated * (count // piece) + rest + struct.pack(">HH", count % 65521, 1)


def bomb(picture: bytes, claimed: tuple[int, int], *first: bytes) -> Make:
    return lambda path: write_png_video(path, [*first, *[picture] * 32], claimed)


def silent_hours(path: Path, hours: float, picture_at: float = 0.0) -> None:
    """Write audio that is compressed 200 to 1, and two seconds of video."""
    rate, block = 8000, 4096
    with av.open(str(path), "w") as file:
        picture, sound = file.add_stream("libx264", rate=25), file.add_stream("alac", rate=rate, layout="mono")
        picture.width, picture.height, picture.pix_fmt = 96, 64, "yuv420p"
        picture.options = {"bf": "0", "threads": "1", "tune": "zerolatency"}
        silence = av.AudioFrame(format="s16p", layout="mono", samples=block)
        silence.planes[0].update(bytes(2 * block))
        silence.sample_rate, silence.pts = rate, 0
        [content] = [bytes(packet) for packet in (*sound.encode(silence), *sound.encode()) if packet.size]
        for number in range(48):
            frame = av.VideoFrame(96, 64, "yuv420p")
            frame.pts, frame.time_base = number + round(25 * picture_at), Fraction(1, 25)
            file.mux(picture.encode(frame))
        for number in range(int(hours * 3600 * rate / block)):
            packet = av.Packet(content)
            packet.stream, packet.time_base = sound, Fraction(1, rate)
            packet.pts = packet.dts = number * block
            file.mux(packet)


def play_again(path: Path, times: int) -> None:
    """Write 100 frames, and an edit list that plays the whole of them so many times: 12 bytes each."""
    write_video(path, frames=100)
    raw = path.read_bytes()
    at = raw.index(b"moov") - 4
    (scale,) = struct.unpack_from(">I", raw, raw.index(b"mvhd") + 16)
    entry = struct.pack(">IiI", 4 * scale, 0, 1 << 16)
    path.write_bytes(raw[:at] + _put_edits(raw[at:], _box(b"elst", struct.pack(">II", 0, times) + entry * times)))


def _put_edits(moov: bytes, edits: bytes) -> bytes:
    """Put an edit list in place of that of the one track; `moov` is the last box of the file."""
    assert moov.count(b"trak") == moov.count(b"edts") == 1
    trak, edts = moov.index(b"trak") - 4, moov.index(b"edts") - 4
    old_size = struct.unpack_from(">I", moov, edts)[0]
    grown = bytearray(moov[:edts] + _box(b"edts", edits) + moov[edts + old_size :])
    for start in (0, trak):
        struct.pack_into(">I", grown, start, struct.unpack_from(">I", moov, start)[0] + len(edits) + 8 - old_size)
    return bytes(grown)


def _box(tag: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + tag + content


HUGE, TINY = (16000, 16000), (96, 64)
BOMBS: dict[str, Hostile] = {
    "huge.mov": Hostile(bomb(black(*HUGE), HUGE), {"probe": "size"}),
    "secretly-huge.mov": Hostile(bomb(black(*HUGE), TINY), {"probe": "size"}),
    "secretly-huge-too.avi": Hostile(bomb(black(*HUGE), TINY), {"probe": "size"}),
    # 1.8 GB for each frame.
    "huge-and-deep.mov": Hostile(bomb(black(15000, 15000, 16, 6, 4), TINY), {"probe": "size"}),
    "huge-after-the-first.mov": Hostile(bomb(black(*HUGE, 8, 0, 1), TINY, black(*TINY)), {"rgb": "partial"}),
    "ribbon.mov": Hostile(bomb(black(60000, 2), (60000, 2)), {"rgb": "memory"}),
    "hours-of-sound.mkv": Hostile(functools.partial(silent_hours, hours=2)),
    # 28 minutes in 23 kB: more than ten minutes and ten seconds for each frame that the file has.
    "played-420-times.mp4": Hostile(functools.partial(play_again, times=420), {"probe": "timestamps"}),
    "played-3-times.mp4": Hostile(functools.partial(play_again, times=3)),
    # FFmpeg uses the length of the whole file for a video that begins so late.
    "hours-of-sound-before.mkv": Hostile(
        functools.partial(silent_hours, hours=10, picture_at=10 * 3600), {"probe": "partial", "audio": "timeout"}
    ),
}


# --- devices, sockets and pipes ---


def make_socket(path: Path) -> None:
    """Bind a socket from its own folder, because its path must be short."""
    before = os.getcwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(before)


def playlist(name: str) -> Make:
    return lambda path: path.write_text(f"ffconcat version 1.0\nfile {name}\n")


def link(target: str) -> Make:
    return lambda path: path.symlink_to(target)


PLACES: dict[str, Hostile] = {
    "zeros.mp4": Hostile(link("/dev/zero"), {"probe": "device"}),
    "noise.mp4": Hostile(link("/dev/urandom"), {"probe": "device"}),
    "nothing.mp4": Hostile(link("/dev/null"), {"probe": "device"}),
    "socket.mp4": Hostile(make_socket, {"probe": "not-a-video"}),
    "concat-of-a-file.mp4": Hostile(playlist("/etc/hosts"), {"probe": "playlist"}),
    "concat-of-an-address.mp4": Hostile(playlist("http://127.0.0.1:9/x.mp4"), {"probe": "playlist"}),
    "pipe.mp4": Hostile(os.mkfifo, {"probe": "timeout"}),
}

# Names of valid videos.
NAMES = [
    "-x", "--help", "two words ", "new\nline", "'", '"', ";", "$(touch pwned)", "`touch pwned`", "{shard}", "<x>",
    "<script>alert(1)<!--", "\u202egpj", "%2F..%2F", "a..", "*", "\\", "\x1b[31m", "n" * 251,
    # One letter, composed and decomposed.
    unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"),
]  # fmt: skip
