"""Files that change after probe or while they are read: probe's number of rows, and a failure row for what was lost."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_ae.core.config.specs import ProbeSpec
from clip_ae.core.types import VideoFeatures, Window
from clip_ae.data.parquet import read_rows
from clip_ae.media import decoder_process
from clip_ae.stages import probe
from tests.media.hostile_media import black, bomb
from tests.media_files import truncated, write_video
from tests.stages.test_extract import SHARD, CounterStream, run

Change = Callable[[Path], object]
SNIPPETS = 30


def noise(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Noise compresses badly, so the file is long and its end is not read before it changes."""
    return np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)


def clip(frames: int = 16 * SNIPPETS, **options: Any) -> Change:
    writer_options: dict[str, Any] = {
        "container": {"movflags": "faststart"},
        "options": {"preset": "ultrafast"},
        "draw": noise,
    }
    return lambda path: write_video(path, frames=frames, **writer_options, **options)


def replace_with(by: Change) -> Change:
    """Replace the file as a download does: the new file takes the name of the old one."""

    def change(path: Path) -> None:
        other = path.with_name(f"new{path.suffix}")
        by(other)
        other.replace(path)

    return change


def unlink_and_make(make: Change) -> Change:
    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


# The change of a video, the kind of its failure row, and about how many snippets are left.
AFTER_PROBE: dict[str, tuple[Change, str | None, int]] = {
    "deleted": (Path.unlink, "missing", 0),
    "emptied": (lambda path: path.write_bytes(b""), "not-a-video", 0),
    "cut short": (lambda path: truncated(path, 0.5), "partial", 15),
    "a shorter one": (replace_with(clip(160)), "partial", 10),
    "a longer and larger one": (replace_with(clip(500, size=(128, 96))), None, 30),
    "a text": (lambda path: path.write_text("I was a video.\n" * 999), "not-a-video", 0),
    "a folder": (unlink_and_make(Path.mkdir), "not-a-video", 0),
    "a device": (unlink_and_make(lambda path: path.symlink_to("/dev/zero")), "device", 0),
    "a bomb": (replace_with(bomb(black(16000, 16000), (16000, 16000))), "size", 0),
}
# What is open stays as it was, unless it is changed in place.
AFTER_A_WINDOW: dict[str, tuple[Change, str | None, int]] = {
    "deleted": (Path.unlink, None, 30),
    "a shorter one": (replace_with(clip(160)), None, 30),
    "cut short": (lambda path: truncated(path, 0.5), "partial", 15),
}


@pytest.fixture(scope="module")
def whole_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "x.mov"
    clip()(path)
    return path


@pytest.fixture
def videos(whole_path: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("changing", "other"):
        shutil.copyfile(whole_path, folder / f"{name}.mov")
    return folder


def run_probe(videos: Path) -> list[dict[str, Any]]:
    out = videos.parent / "out"
    probe.run(ProbeSpec(), videos=videos, shard=SHARD, out=out / "probe.parquet", failures=out / "pf.parquet")
    return read_rows(out / "probe.parquet")


def assert_left(rows: dict[str, VideoFeatures], failures: list[dict[str, Any]], kind: str | None, left: int) -> None:
    assert len(rows["changing"].coverage) == SNIPPETS
    assert rows["changing"].coverage.sum() == pytest.approx(left, abs=3)
    assert rows["other"].coverage.all()
    assert [(f["video_id"], f["kind"]) for f in failures] == ([("changing", kind)] if kind else [])


@pytest.mark.parametrize("change", AFTER_PROBE)
def test_a_file_that_is_another_after_probe(monkeypatch: pytest.MonkeyPatch, videos: Path, change: str) -> None:
    make, kind, left = AFTER_PROBE[change]
    run_probe(videos)
    make(videos / "changing.mov")
    rows, failures, _ = run(monkeypatch, videos, CounterStream(4))
    assert_left(rows, failures, kind, left)


class Disturbed(decoder_process.Decoder):
    """Changes a video as soon as its first window is read."""

    change: ClassVar[list[Change]]

    def read_video_windows(self, path: Path, *rest: Any, **options: Any) -> Iterator[Window]:
        for window in super().read_video_windows(path, *rest, **options):
            if path.stem == "changing" and window.snippet == 0:
                self.change[0](path)
            yield window


@pytest.mark.parametrize("change", AFTER_A_WINDOW)
def test_a_file_that_changes_while_it_is_read(monkeypatch: pytest.MonkeyPatch, videos: Path, change: str) -> None:
    make, kind, left = AFTER_A_WINDOW[change]
    run_probe(videos)
    monkeypatch.setattr(decoder_process, "Decoder", Disturbed)
    monkeypatch.setattr(Disturbed, "change", [make], raising=False)
    rows, failures, _ = run(monkeypatch, videos, CounterStream(4))
    assert_left(rows, failures, kind, left)


def test_a_file_that_was_still_being_copied(monkeypatch: pytest.MonkeyPatch, videos: Path, whole_path: Path) -> None:
    """The header states the whole length from the start, so nothing is missing when the copy is complete."""
    truncated(videos / "changing.mov", 0.5)
    assert [row["status"] for row in run_probe(videos)] == ["partial", "ok"]
    shutil.copyfile(whole_path, videos / "changing.mov")
    rows, failures, _ = run(monkeypatch, videos, CounterStream(4))
    assert_left(rows, failures, None, SNIPPETS)
