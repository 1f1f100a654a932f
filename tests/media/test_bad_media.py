"""Bad and strange files: how each is made, and what is promised of it.

Frames show their numbers (tests/media.py). Most videos have 48 of them at 25 a second: three snippets.
"""

import os
import signal
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_ae.core.config.specs import ProbeSpec
from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures, VideoInfo, Window
from clip_ae.data.parquet import read_rows
from clip_ae.media import video
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.probe import probe_video
from clip_ae.media.readers import FrameReader, read_with_decord, read_with_pyav
from clip_ae.pipeline.extraction import FeatureExtractor
from clip_ae.stages import probe as probe_stage
from tests.media_files import cut_before, joined, read_counter, restamped, write_sound, write_video

GRID = SnippetGrid()
SHORT = 72
# Seconds that a hanging decoder is given.
WATCHDOG = 2.0
Make = Callable[[Path], object]

UP = [n / 25 for n in range(48)]
SOUND: dict[str, Any] = {"tone": [440]}
PLAIN: dict[str, Any] = {"options": {"bf": "0"}}
FASTSTART = {"movflags": "faststart"}
# The clock of a transport stream has 33 bits: a second before it begins anew.
WRAP = 2**33 / 90000 - 1


def clip(**options: Any) -> Make:
    return lambda path: write_video(path, **{"frames": 48, **options})


def cut(**options: Any) -> Make:
    """50 of 100 frames."""
    return lambda path: cut_before(write_video(path, frames=100, **PLAIN, **options), 50)


def stamped(times: Sequence[float]) -> Make:
    return lambda path: restamped(write_video(path, frames=len(times), **PLAIN), times)


def two_sizes(path: Path) -> Path:
    parts = [path.with_name(f"part-{n}.ts") for n in range(2)]
    for n, size in enumerate([(96, 64), (64, 128)]):
        write_video(parts[n], frames=24, size=size, start=24 * n / 25, **PLAIN)
    return joined(path, *parts)


def patched(path: Path, tag: bytes, offset: int, form: str, *values: int) -> None:
    """Numbers written over, at an offset from where a tag ends."""
    raw = bytearray(path.read_bytes())
    struct.pack_into(form, raw, raw.index(tag) + len(tag) + offset, *values)
    path.write_bytes(raw)


def overclaiming_avi(path: Path) -> None:
    """The header says 120 frames, in the file's part and in the stream's."""
    write_video(path, frames=48, codec="mpeg4")
    patched(path, b"avih", 4 + 16, "<I", 120)
    patched(path, b"strh", 4 + 32, "<I", 120)


def hollow_mp4(path: Path) -> None:
    """The index lists 48 frames, of which the last 20 have no bytes."""
    write_video(path, frames=48, **PLAIN)
    patched(path, b"stsz", 12 + 4 * 28, ">20I", *[0] * 20)


def with_codec(old: bytes, new: bytes) -> Make:
    """Matroska that says it holds a codec which nobody knows."""

    def make(path: Path) -> None:
        raw = write_video(path, frames=48, **SOUND).read_bytes()
        assert old in raw
        path.write_bytes(raw.replace(old, new))

    return make


@dataclass(frozen=True)
class Case:
    """What is promised: a share of each snippet that is seen and heard, the number on each frame of the grid."""

    make: Make
    seen: Sequence[float] = (1, 1, 1)
    shown: Sequence[int] = range(48)
    heard: Sequence[float] = (0, 0, 0)
    size: tuple[int, int] = (96, 64)
    # Amplitude of the sound, where all of it is heard.
    loud: float = 0.5
    # Quarter turns, counterclockwise.
    turned: int = 0
    # Why a video is partial.
    reason: str = ""


HEARD = (1, 1, 1)
HALF: dict[str, Any] = {"seen": (1, 1, 1, 2 / 16, 0, 0), "shown": [*range(50), *[49] * 46], "heard": (0,) * 6}
CASES = {
    # Codecs and containers.
    "av1.mp4": Case(clip(codec="libsvtav1", options={"preset": "10"})),
    "web.webm": Case(clip(codec="libvpx", sound_codec="libopus", **SOUND), heard=HEARD),
    "matroska.mkv": Case(clip(sound_codec="flac", **SOUND), heard=HEARD),
    "old.avi": Case(clip(codec="mpeg4", sound_codec="pcm_s16le", **SOUND), heard=HEARD),
    "stream.ts": Case(clip(**SOUND), heard=HEARD),
    "disc.mpg": Case(clip(codec="mpeg2video", sound_codec="mp2", **SOUND), heard=HEARD),
    # Less than was claimed.
    "cut-faststart.mp4": Case(cut(container=FASTSTART), **HALF, reason="2.00 of 4.00 claimed seconds are there"),
    "cut-matroska.mkv": Case(cut(), **HALF, reason="2.00 of 4.00 claimed seconds are there"),
    "cut-avi.avi": Case(cut(codec="mpeg4"), **HALF, reason="2.00 of 4.00 claimed seconds are there"),
    # A stream claims nothing.
    "cut-stream.ts": Case(cut()),
    "overclaiming.avi": Case(
        overclaiming_avi,
        seen=[1, 1, 1, 0, 0, 0, 0, 0],
        shown=[*range(48), *[47] * 80],
        heard=[0] * 8,
        reason="1.92 of 4.80 claimed seconds are there",
    ),
    "hollow.mp4": Case(
        hollow_mp4,
        seen=[1, 12 / 16, 0],
        shown=[*range(28), *[27] * 20],
        reason="1.12 of 1.92 claimed seconds are there",
    ),
    "one-frame.mp4": Case(clip(frames=1), seen=[1 / 16], shown=[0] * 16, heard=[0]),
    # Sound.
    "no-sound-in-track.mkv": Case(clip(sound_seconds=0.0, **SOUND)),
    "sound-of-unknown-codec.mkv": Case(with_codec(b"A_AAC", b"A_XYZ")),
    "sound-longer.mp4": Case(clip(sound_seconds=4.0, **SOUND), heard=HEARD),
    "sound-shorter.mp4": Case(clip(sound_seconds=0.96, **SOUND), heard=[1, 0.5, 0]),
    "8-khz.mp4": Case(clip(sound_rate=8000, **SOUND), heard=HEARD),
    "96-khz.mp4": Case(clip(sound_rate=96000, **SOUND), heard=HEARD),
    "5.1.mp4": Case(clip(tone=[440, 440, 440, 0, 440, 440]), heard=HEARD, loud=0.5 * 5 / 6),
    "sound-2-s-before.mp4": Case(clip(start=2.0, sound_seconds=2.64, **SOUND), heard=[1, 0, 0]),
    "sound-2-s-before-too.ts": Case(clip(start=2.0, sound_seconds=2.64, **SOUND), heard=[1, 0, 0]),
    # Time.
    "long-gap.mp4": Case(
        clip(pts=[*UP[:20], *(4 + t for t in UP[20:32])]),
        seen=[1] * 8,
        shown=[*range(20), *[19] * 100, *range(20, 28)],
        heard=[0] * 8,
    ),
    "twice-the-same-time.mkv": Case(
        stamped([*UP[:24], *[UP[23]] * 8, *UP[32:]]), shown=[*range(24), *[23] * 8, *range(32, 48)]
    ),
    # What steps back is never displayed.
    "back-in-time.mkv": Case(
        stamped([*UP[:24], *(t - 0.42 for t in UP[24:34]), *UP[34:]]),
        seen=[1, 1, 1],
        shown=[*range(24), *[23] * 10, *range(34, 48)],
    ),
    "reversed.mkv": Case(stamped(UP[::-1]), seen=[0, 0, 1 / 16], shown=[0] * 48),
    # Frames before 0 are for the decoder only.
    "negative.mp4": Case(
        clip(start=-1.0, container={"avoid_negative_ts": "disabled"}), seen=[1], shown=range(25, 41), heard=[0]
    ),
    "wraps.ts": Case(clip(start=WRAP, sound_start=WRAP, **SOUND), heard=HEARD),
    # Pictures.
    "rotated.mp4": Case(clip(rotation=90), size=(64, 96), turned=1),
    "portrait.mp4": Case(clip(size=(64, 96)), size=(64, 96)),
    "odd-mpeg4.avi": Case(clip(codec="mpeg4", size=(97, 65)), size=(97, 65)),
    "odd-vp8.webm": Case(clip(codec="libvpx", size=(97, 65)), size=(97, 65)),
    "odd-444.mp4": Case(clip(pix_fmt="yuv444p", size=(97, 65)), size=(97, 65)),
    "wide.mp4": Case(clip(size=(2000, 16)), size=(2000, 16)),
    "10-bit.mp4": Case(clip(pix_fmt="yuv420p10le")),
    "10-bit-hevc.mkv": Case(clip(codec="libx265", pix_fmt="yuv420p10le", options={"x265-params": "log-level=none"})),
    "full-range.mp4": Case(clip(pix_fmt="yuvj420p")),
    "interlaced.mp4": Case(clip(options={"x264-params": "tff=1:rc-lookahead=0:mbtree=0"})),
    "interlaced-fields.ts": Case(clip(options={"x264-params": "tff=1:rc-lookahead=0:mbtree=0"})),
    "two-sizes.ts": Case(two_sizes, shown=[*range(24), *range(24)]),
    "4k.mp4": Case(
        clip(frames=8, size=(3840, 2160), options={"preset": "ultrafast"}),
        seen=[0.5],
        shown=[*range(8), *[7] * 8],
        heard=[0],
        size=(3840, 2160),
    ),
}


def bare_stream(path: Path) -> None:
    """H.264 without a container, and so without a time for any frame."""
    write_video(path.with_suffix(".h264")).rename(path)


def stalling(path: Path) -> None:
    """A pipe that gives half of a video, and then nothing while somebody may still write to it."""
    whole = write_video(path.with_name("whole.ts"), frames=100)
    os.mkfifo(path)
    os.write(os.open(path, os.O_RDWR), whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()


# What is no video to speak of, and the word that counts it.
BROKEN: dict[str, tuple[Make, str]] = {
    "empty.mp4": (lambda path: path.touch(), "empty"),
    "text.mp4": (lambda path: path.write_text("I am no video.\n" * 100), "not-a-video"),
    "dangling.mp4": (lambda path: path.symlink_to("nowhere"), "missing"),
    "loop.mp4": (lambda path: path.symlink_to(path.name), "not-a-video"),
    "index-lost.mp4": (cut(), "not-a-video"),
    "sound-alone.mp4": (lambda path: write_sound(path, [440], 2.0), "no-video"),
    "bare-stream.mp4": (bare_stream, "no-frames"),
    "unknown-codec.mkv": (with_codec(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"), "codec"),
    "directory.mp4": (lambda path: path.mkdir(), "not-a-video"),
    "stalls.ts": (stalling, "timeout"),
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name, case in CASES.items():
        case.make(folder / name)
    for name, (make, _) in BROKEN.items():
        make(folder / name)
    return folder


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    """One for all: no file leaves anything behind that would harm the next."""
    with Decoder() as decoder:
        yield decoder


def info_of(decoder: Decoder, path: Path) -> VideoInfo:
    return VideoInfo(path.stem, path.name, **vars(decoder.probe_video(path, GRID)))


def numbers(frames: NDArray[np.uint8], turned: int = 0) -> list[int]:
    return [read_counter(np.rot90(frame, -turned)) for frame in frames]


def loudness(samples: NDArray[np.float32]) -> float:
    """Amplitude of a lone tone."""
    return float(np.sqrt(2 * np.mean(samples**2)))


@pytest.mark.parametrize("name", CASES)
def test_the_right_frames_are_shown_and_the_missing_told(videos: Path, decoder: Decoder, name: str) -> None:
    case, path = CASES[name], videos / name
    info = info_of(decoder, path)
    assert (info.snippets, info.width, info.height) == (len(case.seen), *case.size)
    assert (info.status, info.reason) == ("partial" if case.reason else "ok", case.reason)
    seen, shown = [], []
    for window in decoder.read_video_windows(path, info, GRID, SHORT):
        seen.append(window.coverage)
        shown += numbers(window.data, case.turned)
    assert seen == list(case.seen)
    assert shown == list(case.shown)


@pytest.mark.parametrize("name", CASES)
def test_sound_lies_where_it_belongs(videos: Path, decoder: Decoder, name: str) -> None:
    case, path = CASES[name], videos / name
    heard, loud = [], []
    for window in decoder.read_audio_windows(path, info_of(decoder, path), GRID):
        heard.append(window.coverage)
        loud.append(loudness(window.data))
    assert heard == pytest.approx(list(case.heard), abs=0.05)
    # The second of three windows reaches into its neighbours, and no further.
    if case.heard == HEARD:
        assert loud[1] == pytest.approx(case.loud, rel=0.03)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_video_is_told_in_a_line(videos: Path, name: str) -> None:
    with Decoder(WATCHDOG) as decoder:
        with pytest.raises(Unreadable) as caught:
            decoder.probe_video(videos / name, GRID)
        assert caught.value.kind == BROKEN[name][1]
        assert "\n" not in str(caught.value)
        assert str(videos) not in str(caught.value)


def test_a_file_without_permission_is_told(tmp_path: Path, decoder: Decoder) -> None:
    path = write_video(tmp_path / "x.mp4")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(Unreadable) as caught:
        decoder.probe_video(path, GRID)
    assert caught.value.kind == "permission"


def test_no_encoder_leaves_us_with_another_priority(tmp_path: Path) -> None:
    before = os.sched_getscheduler(0)
    CASES["av1.mp4"].make(tmp_path / "av1.mp4")
    assert os.sched_getscheduler(0) == before


def grey(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.full((size[1], size[0], 3), 200, np.uint8)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv444p", "yuvj444p", "yuv420p10le"])
@pytest.mark.parametrize("reader", [read_with_pyav, read_with_decord])
def test_any_range_and_depth_is_equally_bright(tmp_path: Path, pix_fmt: str, reader: FrameReader) -> None:
    path = write_video(tmp_path / "x.mp4", frames=16, pix_fmt=pix_fmt, draw=grey)
    info = VideoInfo("x", path.name, **vars(probe_video(str(path), GRID)))
    [window] = video.read_video_windows(str(path), info, GRID, SHORT, 0, reader=reader)
    assert window.coverage == 1
    assert np.abs(window.data.astype(int) - 200).max() <= 4


def test_a_4k_picture_takes_little_more_memory_than_a_small_one(videos: Path) -> None:
    """Frames shrink inside the decoder; as RGB, 16 of 3840 x 2160 take 380 MiB."""
    taken = []
    for name in ("matroska.mkv", "4k.mp4"):
        with Decoder() as decoder:
            list(decoder.read_video_windows(videos / name, info_of(decoder, videos / name), GRID, SHORT))
            taken.append(peak(decoder))
    assert taken[1] - taken[0] < 120


def test_a_long_video_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    """As it would if frames were read ahead without limit: these 4000 are 89 MiB."""
    taken = []
    for frames in (400, 4000):
        path = write_video(tmp_path / f"{frames}.mp4", frames=frames)
        with Decoder() as decoder:
            for _ in decoder.read_video_windows(path, info_of(decoder, path), GRID, SHORT):
                pass
            taken.append(peak(decoder))
    assert taken[1] - taken[0] < 15


def peak(decoder: Decoder) -> int:
    """MiB that the child had in memory at most."""
    assert decoder.process is not None
    status = Path(f"/proc/{decoder.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def struck(decoder: Decoder, windows: Iterator[Window], by: signal.Signals, children: int = 2) -> Iterator[Window]:
    """Windows, while so many children, one after another, get a signal as soon as they have given one."""
    hit: set[int | None] = set()
    for window in windows:
        yield window
        assert decoder.process is not None
        if decoder.process.pid not in hit and len(hit) < children:
            hit.add(decoder.process.pid)
            os.kill(decoder.process.pid or 0, by)


BLOWS = {signal.SIGSTOP: "timeout", signal.SIGKILL: "crash", signal.SIGSEGV: "crash"}


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many more windows than a child reads ahead."""
    return write_video(tmp_path_factory.mktemp("long") / "x.mp4", frames=320, **SOUND)


@pytest.mark.parametrize("by", BLOWS)
def test_one_hang_or_death_midway_costs_nothing(long: Path, by: signal.Signals) -> None:
    with Decoder(WATCHDOG) as decoder:
        windows = decoder.read_video_windows(long, info_of(decoder, long), GRID, SHORT)
        shown = [number for window in struck(decoder, windows, by, 1) for number in numbers(window.data)]
        assert shown == list(range(320))


@pytest.mark.parametrize("by", BLOWS)
def test_a_second_one_ends_the_video_and_not_the_next(videos: Path, long: Path, by: signal.Signals) -> None:
    with Decoder(WATCHDOG) as decoder:
        windows = decoder.read_video_windows(long, info_of(decoder, long), GRID, SHORT)
        shown: list[int] = []
        with pytest.raises(Unreadable) as caught:
            for window in struck(decoder, windows, by):
                shown += numbers(window.data)
        assert caught.value.kind == BLOWS[by]
        assert 32 <= len(shown) < 320
        assert shown == list(range(len(shown)))
        assert decoder.probe_video(videos / "matroska.mkv", GRID).frames == 48


@pytest.mark.parametrize("by", BLOWS)
def test_sound_has_one_reader_and_ends_with_it(long: Path, by: signal.Signals) -> None:
    with Decoder(WATCHDOG) as decoder:
        windows = decoder.read_audio_windows(long, info_of(decoder, long), GRID)
        with pytest.raises(Unreadable) as caught:
            list(struck(decoder, windows, by))
        assert caught.value.kind == BLOWS[by]


class Fragile(Decoder):
    """Its child hangs or dies midway through some videos, whoever reads them."""

    names: ClassVar = {"hangs": signal.SIGSTOP, "dies": signal.SIGSEGV}

    def read_video_windows(
        self, path: Path, info: VideoInfo, grid: SnippetGrid, short_side: int, lookahead: int = 0
    ) -> Iterator[Window]:
        return self._struck(path, super().read_video_windows(path, info, grid, short_side, lookahead))

    def read_audio_windows(self, path: Path, info: VideoInfo, grid: SnippetGrid) -> Iterator[Window]:
        return self._struck(path, super().read_audio_windows(path, info, grid))

    def _struck(self, path: Path, windows: Iterator[Window]) -> Iterator[Window]:
        return struck(self, windows, self.names[path.stem]) if path.stem in self.names else windows


@dataclass
class Ends:
    """An encoder whose feature is (number on the first frame, number on the last)."""

    short_side: int | None = SHORT
    lookahead: int = 0
    dim: int = 2

    def prepare(self, window: NDArray[Any]) -> NDArray[np.float32]:
        return np.array(numbers(window[[0, -1]]), np.float32)

    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return batch


class Loudness(Ends):
    def prepare(self, window: NDArray[Any]) -> NDArray[np.float32]:
        return np.full(2, loudness(window), np.float32)


class Batches:
    """The encoder alone, in batches that cross videos."""

    def choose_batch_size(self, window: NDArray[Any]) -> int:
        return 32

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(batch, np.float32)


@dataclass(frozen=True)
class Folder:
    """All of them side by side, and what probe says."""

    path: Path
    infos: list[VideoInfo]
    failures: dict[str, str]

    def extracted(self, encoder: Ends) -> tuple[dict[str, VideoFeatures], dict[str, str]]:
        """Rows and the kind of failure, by video."""
        decoders = [Fragile(WATCHDOG) for _ in range(2)]
        work = FeatureExtractor("rgb", GRID, encoder, Batches(), self.path, decoders)
        whole = [info for info in self.infos if info.status != "failed"]
        rows = {v.video_id: v for v in work.extract(whole)}
        assert list(rows) == [info.video_id for info in whole]
        assert [len(v.coverage) for v in rows.values()] == [info.snippets for info in whole]
        return rows, {failure.video_id: failure.kind for failure in work.failures}


@pytest.fixture(scope="module")
def folder(videos: Path, long: Path) -> Folder:
    for name in Fragile.names:
        (videos / f"{name}.mp4").symlink_to(long)
    write_video(videos / "directory.mp4" / "inside.mp4")
    table, failures = videos.parent / "probe.parquet", videos.parent / "failures.parquet"
    probe_stage.run(
        ProbeSpec(), videos=videos, shard="0000-of-0001", out=table, failures=failures, decoder_timeout_s=WATCHDOG
    )
    infos = [VideoInfo(**row) for row in read_rows(table)]
    return Folder(videos, infos, {row["video_id"]: row["kind"] for row in read_rows(failures)})


def of_stems(kinds: dict[str, str]) -> dict[str, str]:
    return {Path(name).stem: kind for name, kind in kinds.items()}


def test_in_one_folder_each_has_a_row_and_the_bad_a_failure(folder: Folder) -> None:
    listed = {*CASES, *BROKEN, "hangs.mp4", "dies.mp4", "directory.mp4/inside.mp4"} - {"directory.mp4"}
    assert {info.path for info in folder.infos} == listed
    broken = {name: kind for name, (_, kind) in BROKEN.items() if name in listed}
    assert folder.failures == of_stems(broken | {name: "partial" for name, case in CASES.items() if case.reason})


def test_pictures_of_one_folder_do_not_harm_each_other(folder: Folder) -> None:
    found, failures = folder.extracted(Ends())
    for name, case in CASES.items():
        rows = found[Path(name).stem]
        assert rows.coverage.tolist() == list(case.seen), name
        if not case.turned:
            first, last = case.shown[::16], case.shown[15::16]
            assert rows.feature.tolist() == [
                [a, b] if seen else [0, 0] for a, b, seen in zip(first, last, case.seen, strict=True)
            ], name
    for name in Fragile.names:
        rows = found[name]
        done = int(rows.coverage.sum())
        assert 2 <= done < 20
        assert rows.coverage.tolist() == [1] * done + [0] * (20 - done)
        assert rows.feature[:done].tolist() == [[16 * k, 16 * k + 15] for k in range(done)]
    assert failures == {
        "hangs": "timeout",
        "dies": "crash",
        "cut-faststart": "partial",
        "cut-matroska": "partial",
        "cut-avi": "partial",
        "hollow": "partial",
        "overclaiming": "partial",
        "reversed": "partial",
    }


def test_nor_does_sound(folder: Folder) -> None:
    found, failures = folder.extracted(Loudness(short_side=None))
    for name, case in CASES.items():
        rows = found[Path(name).stem]
        assert rows.coverage.tolist() == pytest.approx(list(case.heard), abs=0.05), name
        if case.heard == HEARD:
            assert rows.feature[1].tolist() == pytest.approx([case.loud] * 2, rel=0.03), name
    assert failures == {
        "hangs": "timeout",
        "dies": "crash",
        "no-sound-in-track": "partial",
        "sound-shorter": "partial",
        "sound-2-s-before": "partial",
        "sound-2-s-before-too": "partial",
    }
