import struct
import wave
from pathlib import Path

import pytest

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SnippetGrid
from clip_ae.media.probe import probe_video
from tests.media.hostile_media import black, bomb
from tests.media_files import truncated, write_video

GRID = SnippetGrid()


def failure_kind(path: Path) -> str:
    with pytest.raises(Unreadable) as caught:
        probe_video(str(path), GRID)
    assert str(path.parent) not in str(caught.value)
    return caught.value.kind


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_facts_of_a_complete_video(tmp_path: Path, suffix: str) -> None:
    facts = probe_video(str(write_video(tmp_path / f"x.{suffix}", frames=60, fps=30, tone=[440, 440])), GRID)
    assert (facts.frames, facts.width, facts.height) == (60, 96, 64)
    assert (facts.duration, facts.fps) == (pytest.approx(2.0, abs=0.002), pytest.approx(30, abs=0.03))
    assert (facts.has_audio, facts.audio_rate, facts.audio_channels) == (True, 48000, 2)
    assert (facts.snippets, facts.status, facts.reason) == (3, "ok", "")


def test_time_starts_with_the_first_frame(tmp_path: Path) -> None:
    for suffix in ("mp4", "mkv"):
        facts = probe_video(str(write_video(tmp_path / f"x.{suffix}", frames=50, start=30.0)), GRID)
        assert (facts.duration, facts.status) == (pytest.approx(2.0), "ok")


def test_longer_audio_does_not_change_the_duration(tmp_path: Path) -> None:
    for suffix in ("mp4", "mkv"):
        facts = probe_video(str(write_video(tmp_path / f"x.{suffix}", tone=[440], sound_seconds=6.0)), GRID)
        assert (facts.duration, facts.status) == (pytest.approx(2.0), "ok")


def test_truncated_file_keeps_its_stated_length(tmp_path: Path) -> None:
    for suffix, container in (("mp4", {"movflags": "faststart"}), ("mkv", {})):
        path = write_video(tmp_path / f"x.{suffix}", frames=250, container=container)
        facts = probe_video(str(truncated(path, 0.5)), GRID)
        assert (facts.duration, facts.snippets) == (pytest.approx(10.0, abs=0.05), 16)
        assert facts.status == "partial"
        assert "of 10.00 claimed seconds" in facts.reason


def test_implausible_stated_length_is_ignored(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.mkv", frames=50)
    raw = path.read_bytes()
    # Matroska's Duration: an eight-byte float, in milliseconds.
    at = raw.find(b"\x44\x89\x88") + 3
    path.write_bytes(raw[:at] + struct.pack(">d", 1e9) + raw[at + 8 :])
    facts = probe_video(str(path), GRID)
    assert (facts.duration, facts.snippets, facts.status) == (pytest.approx(2.0), 3, "partial")
    assert "of 1000000.00 claimed seconds" in facts.reason


def test_rotation_turns_width_and_height(tmp_path: Path) -> None:
    facts = probe_video(str(write_video(tmp_path / "x.mp4", rotation=270)), GRID)
    assert (facts.width, facts.height) == (64, 96)


def test_other_files_are_refused_with_their_kind(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("I am no video.\n" * 100)
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n")
    whole = write_video(tmp_path / "x.mp4")
    (tmp_path / "headless.mp4").write_bytes(whole.read_bytes()[:500])
    assert failure_kind(tmp_path / "empty.mp4") == "empty"
    assert failure_kind(tmp_path / "text.mp4") in ("not-a-video", "no-video")
    assert failure_kind(tmp_path / "noise.mp4") in ("not-a-video", "no-video", "no-frames")
    assert failure_kind(tmp_path / "dangling.mp4") == "missing"
    assert failure_kind(tmp_path / "list.mp4") in ("playlist", "not-a-video")
    assert failure_kind(tmp_path / "headless.mp4") == "not-a-video"


@pytest.mark.parametrize("name", ["/etc/hosts", "http://127.0.0.1:9/x.mp4"])
def test_a_concat_playlist_of_names_that_ffmpeg_refuses_is_a_playlist(tmp_path: Path, name: str) -> None:
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {name}\n")
    assert failure_kind(tmp_path / "list.mp4") == "playlist"


def test_audio_without_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(8000))
    assert failure_kind(path) == "no-video"


def test_too_few_frames_for_the_duration_are_refused(tmp_path: Path) -> None:
    """A frame may last ten seconds on average, and ten minutes more in total."""
    assert failure_kind(write_video(tmp_path / "x.mkv", pts=[0, 0.04, 200_000])) == "timestamps"
    assert failure_kind(write_video(tmp_path / "x.mkv", pts=[0, 0.04, 640])) == "timestamps"
    assert probe_video(str(write_video(tmp_path / "x.mkv", pts=[0, 0.04, 620])), GRID).status == "ok"


def test_frames_of_too_many_pixels_are_refused(tmp_path: Path) -> None:
    for width in (8192, 8193):
        bomb(black(width, 8192, 1, 0, 1), (width, 8192))(tmp_path / f"{width}.mov")
    assert probe_video(str(tmp_path / "8192.mov"), GRID).width == 8192
    assert failure_kind(tmp_path / "8193.mov") == "size"
