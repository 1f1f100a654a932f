"""All the broken files there are, beside good ones, through the stages that read videos.

Each ends as a right result or as a failure of a kind, in bounded time and memory, and no good video's row changes.
"""

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from clip_ae.core.config.dataclass_config import to_canonical_json, to_plain_data
from clip_ae.core.config.schema import AudioEncoder, Encoders, I3dOptions, RgbEncoder, VggishOptions
from clip_ae.core.config.specs import ExtractSpec, ProbeSpec
from clip_ae.core.provenance import Provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import NetworkWeights, VideoFeatures, VideoInfo, Window
from clip_ae.data.parquet import read_rows
from clip_ae.data.shards import read_shard
from clip_ae.encoders.networks import vggish
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.media import decoder_process
from clip_ae.media.probe import ProbeResult
from clip_ae.pipeline import probing
from clip_ae.stages import extract, probe
from clip_ae.weights.network_file import save_weights
from tests.encoders.random_networks import random_i3d
from tests.media import bad_media as bad
from tests.media.hostile_media import BOMBS, DAMAGE, LIES, NAMES, PLACES, Hostile
from tests.media_files import write_video

WATCHDOG = 3.0
# Seconds beside the watchdog's: decoders start anew.
MORE = 5.0
# Of any process, in MB.
MOST_MEMORY = 2000
ONE_BY_ONE: dict[str, Hostile] = LIES | BOMBS | PLACES
STREAMS = {
    "rgb": Encoders(rgb=RgbEncoder(batch_size=8)),
    "audio": Encoders(audio=AudioEncoder(batch_size=8)),
}


class Watched(decoder_process.Decoder):
    """Notes how long each file keeps us waiting, and what its child takes."""

    waited: ClassVar[dict[str, float]] = defaultdict(float)
    peak: ClassVar[int] = 0

    def probe_video(self, path: Path, grid: SnippetGrid) -> ProbeResult:
        began = time.monotonic()
        try:
            return super().probe_video(path, grid)
        finally:
            self._note("probe", path, began)

    def read_video_windows(self, path: Path, *rest: Any, **options: Any) -> Iterator[Window]:
        return self._timed("rgb", path, super().read_video_windows(path, *rest, **options))

    def read_audio_windows(self, path: Path, *rest: Any) -> Iterator[Window]:
        return self._timed("audio", path, super().read_audio_windows(path, *rest))

    def kill(self) -> None:
        self._weigh()
        super().kill()

    def _timed(self, stage: str, path: Path, windows: Iterator[Window]) -> Iterator[Window]:
        while True:
            began = time.monotonic()
            try:
                window = next(windows)
            except StopIteration:
                return
            finally:
                self._note(stage, path, began)
            yield window

    def _note(self, stage: str, path: Path, began: float) -> None:
        self.waited[f"{stage} {path.name}"] += time.monotonic() - began
        self._weigh()

    def _weigh(self) -> None:
        if self.process is not None:
            Watched.peak = max(Watched.peak, peak_of(self.process.pid or 0))


def peak_of(pid: int | str) -> int:
    """MB that a process had in memory at most; 0 of one that is dead."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1000 if "VmHWM:" in status else 0


@dataclass(frozen=True)
class Result:
    """What the stages say of a folder: probe's row of each video, its kinds of failure by stage, and its features."""

    infos: dict[str, VideoInfo]
    told: dict[str, dict[str, str]]
    rows: dict[str, dict[str, VideoFeatures]]


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's, with weights by chance."""
    options = VggishOptions(width=0.125)
    made = {
        "rgb": random_i3d(I3dOptions(3, 0.125, 42, 32)),
        "audio": NetworkWeights({"vggish": to_plain_data(options)}, get_tensors(vggish.build(options))),
    }
    folder = tmp_path_factory.mktemp("networks")
    for stream, network in made.items():
        about = {"name": stream, **network.metadata}
        save_weights(folder / f"{stream}.safetensors", network.tensors, Provenance("weights", {}, "code"), about)
    return {stream: folder / f"{stream}.safetensors" for stream in made}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write_video(folder / "good-1.mp4", frames=100, tone=[440])
    write_video(folder / "good-2.mkv", frames=60, tone=[220, 330], size=(128, 96), sound_codec="flac")
    write_video(folder / "good-3.avi", frames=40, codec="mpeg4")
    return folder


@pytest.fixture(scope="module")
def crowd(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good ones among all others."""
    folder = tmp_path_factory.mktemp("crowd")
    for path in good.iterdir():
        os.link(path, folder / path.name)
    for name in NAMES:
        os.link(good / "good-1.mp4", folder / f"{name}.mp4")
    (folder / "linked.mp4").symlink_to(good / "good-1.mp4")
    os.link(good / "good-1.mp4", os.fsencode(folder) + b"/not-utf-8-\xff.mp4")
    (folder / "..mp4").write_text("hidden")
    (folder / "round").mkdir()
    (folder / "round" / "and round.mp4").symlink_to(folder)
    for name, hostile in ONE_BY_ONE.items():
        hostile.make(folder / name)
    for name, damage in DAMAGE.items():
        damage(folder / name)
    for name, case in bad.CASES.items():
        case.make(folder / name)
    for name, (make, _) in bad.BROKEN.items():
        make(folder / name)
    return folder


def run(videos: Path, networks: dict[str, Path], out: Path) -> Result:
    shard = "0000-of-0001"
    table, failures = out / "probe.parquet", out / "failures.parquet"
    probe.run(ProbeSpec(), videos=videos, shard=shard, out=table, failures=failures, decoder_timeout_s=WATCHDOG)
    reports, rows = read_rows(failures), {}
    for stream, encoders in STREAMS.items():
        features, failures = out / f"{stream}.parquet", out / f"{stream}_failures.parquet"
        extract.run(
            ExtractSpec(encoders, torch_threads=1), videos=videos, probe=table, weights=(networks[stream],),
            out=features, failures=failures, device="cpu", decoder_timeout_s=WATCHDOG,
        )  # fmt: skip
        reports += read_rows(failures)
        rows[stream] = {video.video_id: video for video in read_shard(features)}
    told: dict[str, dict[str, str]] = defaultdict(dict)
    for report in reports:
        told[report["video_id"]][report["stage"].removeprefix("extract/")] = report["kind"]
        assert report["message"]
        assert "\n" not in report["message"]
    return Result({row["video_id"]: VideoInfo(**row) for row in read_rows(table)}, told, rows)


def files_below(folder: Path) -> set[str]:
    return {os.path.join(place, name) for place, _, names in os.walk(folder) for name in names}


@dataclass(frozen=True)
class Evening:
    """What came of the crowd, what it left on disk, and what its decoders said aloud."""

    result: Result
    left: set[str]
    said: str


@pytest.fixture(scope="module")
def evening(crowd: Path, networks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Evening:
    root = tmp_path_factory.getbasetemp()
    out, before = tmp_path_factory.mktemp("out"), files_below(root) | files_below(Path.cwd())
    with pytest.MonkeyPatch.context() as patch, (out / "stderr").open("w") as said:
        patch.setattr(decoder_process, "Decoder", Watched)
        patch.setattr(probing, "Decoder", Watched)
        kept = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            result = run(crowd, networks, out)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    left = (files_below(root) | files_below(Path.cwd())) - before - files_below(out)
    return Evening(result, left, (out / "stderr").read_text())


def told_of(evening: Evening, name: str) -> dict[str, str]:
    return evening.result.told.get(Path(name).stem, {})


def test_every_file_has_its_row(evening: Evening) -> None:
    names = {*ONE_BY_ONE, *DAMAGE, *bad.CASES, *bad.BROKEN, *(f"{name}.mp4" for name in NAMES)} - {"directory.mp4"}
    others = {"good-1", "good-2", "good-3", "linked", "not-utf-8-\\udcff"}
    assert set(evening.result.infos) == {Path(name).stem for name in names} | others


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_false_metadata_bombs_and_traps_give_the_right_failure_rows(evening: Evening, name: str) -> None:
    assert told_of(evening, name) == ONE_BY_ONE[name].failures


def test_randomly_damaged_files_are_read_or_have_a_failure_row(evening: Evening) -> None:
    kinds = {kind for name in DAMAGE for kind in told_of(evening, name).values()}
    assert kinds <= {"not-a-video", "no-video", "no-frames", "codec", "size", "timestamps", "partial"}
    whole = [name for name in DAMAGE if not told_of(evening, name)]
    assert 0 < len(whole) < len(DAMAGE)


def test_the_files_known_of_old_are_as_good_or_bad_in_a_crowd(evening: Evening) -> None:
    for name, (_, kind) in bad.BROKEN.items():
        assert told_of(evening, name) == ({} if name == "directory.mp4" else {"probe": kind}), name
    for name, case in bad.CASES.items():
        told = told_of(evening, name)
        assert told.get("probe") == ("partial" if case.reason else None), name
        assert set(told.values()) <= {"partial"}, name


def test_what_can_be_read_has_a_row_a_snippet_and_nothing_is_lost_in_silence(evening: Evening) -> None:
    result = evening.result
    read = {i: info.snippets for i, info in result.infos.items() if info.status != "failed"}
    for stream, rows in result.rows.items():
        assert {i: len(video.coverage) for i, video in rows.items()} == read, stream
    for video_id, video in result.rows["rgb"].items():
        assert video.coverage.any() or "rgb" in result.told[video_id], video_id
        assert np.isfinite(video.feature).all()


def test_a_name_is_but_a_name(evening: Evening) -> None:
    rows = evening.result.rows
    for name in (*NAMES, "linked"):
        for stream in STREAMS:
            np.testing.assert_array_equal(rows[stream][name].feature, rows[stream]["good-1"].feature)
    assert evening.result.told["not-utf-8-\\udcff"] == {"probe": "name"}


def test_the_rows_of_good_videos_are_the_bytes_they_have_alone(
    evening: Evening, good: Path, networks: dict[str, Path], tmp_path: Path
) -> None:
    alone = run(good, networks, tmp_path)
    assert not alone.told
    for video_id, info in alone.infos.items():
        assert evening.result.infos[video_id] == info
        for stream in STREAMS:
            found, wanted = evening.result.rows[stream][video_id], alone.rows[stream][video_id]
            assert found.feature.any() or stream == "audio"
            for column in ("start", "stop", "coverage", "feature", "loudness"):
                assert np.asarray(getattr(found, column)).tobytes() == np.asarray(getattr(wanted, column)).tobytes()


def test_no_file_takes_long_or_much(evening: Evening) -> None:
    assert max(Watched.waited.values()) < WATCHDOG + MORE
    assert 0 < Watched.peak < MOST_MEMORY


def test_nothing_is_left_elsewhere_and_no_traceback_is_shown(evening: Evening) -> None:
    assert evening.left == set()
    assert "Traceback" not in evening.said


# A process inherits the peak of whoever starts it; so a small one does, which tells that of its children.
WATCH = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@pytest.mark.slow
def test_the_commands_end_well_and_small(crowd: Path, networks: dict[str, Path], tmp_path: Path) -> None:
    """As processes, so that what the stages take themselves is seen too."""
    table, shared = tmp_path / "probe.parquet", ["--videos", str(crowd), "--decoder-timeout-s", str(WATCHDOG)]
    failures = ["--failures", str(tmp_path / "failures.parquet")]
    commands = [["probe", "--shard", "0000-of-0001", "--out", str(table), *shared, *failures]]
    for stream, encoders in STREAMS.items():
        cfg, out = to_canonical_json(ExtractSpec(encoders, torch_threads=1)), tmp_path / f"{stream}.parquet"
        made = ["--spec", cfg, "--weights", str(networks[stream]), "--out", str(out), "--device", "cpu"]
        commands.append(["extract", "--probe", str(table), *made, *shared, *failures])
    for command in commands:
        watched = [sys.executable, "-c", WATCH, sys.executable, "-m", "clip_ae", *command]
        done = subprocess.run(watched, check=False, capture_output=True, text=True)
        assert done.returncode == 0
        assert "Traceback" not in done.stderr
        # In kB, of the largest of the stage and its decoders.
        assert 0 < int(done.stdout.split()[-1]) < 1000 * MOST_MEMORY
