"""Cuts of videos start and stop at the given times, for any key frames and tracks of the source."""

from pathlib import Path

import av
import numpy as np
import pytest

from clip_ae.core.config.schema import Runtime
from clip_ae.core.errors import Unreadable
from clip_ae.core.files import atomic_write
from clip_ae.media.decoder_process import Decoder
from tests.media_files import read_counter, write_video


@pytest.fixture(scope="module")
def decoder():
    with Decoder(Runtime(decoder_timeout_s=10)) as child:
        yield child


def cut(decoder: Decoder, source: Path, start: float, stop: float) -> Path:
    out = source.with_name("part.mp4")
    with atomic_write(out) as temporary:
        decoder.cut_segment(source, temporary, start, stop)
    return out


def read_numbers(path: Path) -> list[int]:
    with av.open(str(path)) as file:
        return [read_counter(frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_cut_frames_do_not_depend_on_key_frames(tmp_path, decoder, name):
    codec = "mpeg4" if name == "a.avi" else "libx264"
    source = write_video(tmp_path / name, frames=200, codec=codec)
    assert read_numbers(cut(decoder, source, 3.0, 4.2)) == list(range(75, 105))


def test_times_count_from_the_first_frame(tmp_path, decoder):
    source = write_video(tmp_path / "late.mkv", frames=100, start=5.0)
    assert read_numbers(cut(decoder, source, 1.0, 2.0)) == list(range(25, 50))


def test_audio_is_cut_too(tmp_path, decoder):
    source = write_video(tmp_path / "a.mp4", frames=100, tone=[440, 440])
    with av.open(str(cut(decoder, source, 1.0, 3.0))) as file:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    assert len(samples) / 48_000 == pytest.approx(2.0, abs=0.05)
    spectrum = np.abs(np.fft.rfft(samples[4800:52_800]))
    assert np.argmax(spectrum) * 48_000 / 48_000 == pytest.approx(440, abs=2)


def test_odd_size_becomes_even_and_rotation_is_kept(tmp_path, decoder):
    source = write_video(tmp_path / "a.avi", frames=30, size=(97, 65), codec="mpeg4")
    with av.open(str(cut(decoder, source, 0.0, 1.0))) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (96, 64)
    source = write_video(tmp_path / "turned.mp4", frames=30, rotation=90)
    with av.open(str(cut(decoder, source, 0.0, 1.0))) as file:
        assert next(file.decode(video=0)).rotation == 90


def test_cut_without_frames_writes_no_file(tmp_path, decoder):
    source = write_video(tmp_path / "a.mp4", frames=25)
    with pytest.raises(Unreadable, match=r"no frame between 5\.00 and 6\.00 s"):
        cut(decoder, source, 5.0, 6.0)
    (tmp_path / "broken.mp4").write_bytes(b"junk")
    with pytest.raises(Unreadable, match="cannot be opened"):
        cut(decoder, tmp_path / "broken.mp4", 0.0, 1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "broken.mp4"]


def test_still_frames_fill_the_cut_from_start_to_end(tmp_path, decoder):
    """Slides: a frame every five seconds."""
    source = write_video(tmp_path / "slides.mkv", frames=4, pts=[0, 5, 10, 15])
    for start, stop, numbers, seconds in [(6.0, 9.0, {1}, 3.0), (4.0, 7.0, {0, 1}, 3.0)]:
        part = cut(decoder, source, start, stop)
        assert set(read_numbers(part)) == numbers
        with av.open(str(part)) as file:
            assert float(file.duration / 1e6) == pytest.approx(seconds, abs=0.05)
