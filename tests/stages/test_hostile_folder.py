"""All broken and hostile files, beside good ones, through the stages that read videos.

Each ends as a right result or as a failure row with a kind, in bounded time and memory. No row of a good video changes.
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
from clip_ae.core.config.schema import I3dOptions, Runtime, VggishOptions
from clip_ae.core.config.specs import ExtractSpec, ProbeSpec
from clip_ae.core.config.streams import I3dEncoder, VggishEncoder
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

DECODER_TIMEOUT_S = 3.0
# Seconds in addition to the timeout: decoders start again.
RESTART_S = 5.0
# Of any process.
MAX_MEMORY_MB = 2000
ONE_BY_ONE: dict[str, Hostile] = LIES | BOMBS | PLACES
STREAMS = {
    "rgb": I3dEncoder(batch_size=8, backend="torch", precision="fp32"),
    "audio": VggishEncoder(batch_size=8, backend="torch", precision="fp32"),
}


class MeasuredDecoder(decoder_process.Decoder):
    """Measures the waiting time of each file, and the peak memory of the child process."""

    waiting_seconds: ClassVar[dict[str, float]] = defaultdict(float)
    peak_mb: ClassVar[int] = 0

    def probe_video(self, path: Path, grid: SnippetGrid) -> ProbeResult:
        began = time.monotonic()
        try:
            return super().probe_video(path, grid)
        finally:
            self._add_waiting_time("probe", path, began)

    def read_video_windows(self, path: Path, *rest: Any, **options: Any) -> Iterator[Window]:
        return self._measure_windows("rgb", path, super().read_video_windows(path, *rest, **options))

    def read_audio_windows(self, path: Path, *rest: Any) -> Iterator[Window]:
        return self._measure_windows("audio", path, super().read_audio_windows(path, *rest))

    def kill(self) -> None:
        self._update_peak()
        super().kill()

    def _measure_windows(self, stage: str, path: Path, windows: Iterator[Window]) -> Iterator[Window]:
        while True:
            began = time.monotonic()
            try:
                window = next(windows)
            except StopIteration:
                return
            finally:
                self._add_waiting_time(stage, path, began)
            yield window

    def _add_waiting_time(self, stage: str, path: Path, began: float) -> None:
        self.waiting_seconds[f"{stage} {path.name}"] += time.monotonic() - began
        self._update_peak()

    def _update_peak(self) -> None:
        if self.process is not None:
            MeasuredDecoder.peak_mb = max(MeasuredDecoder.peak_mb, read_peak_mb(self.process.pid or 0))


def read_peak_mb(pid: int | str) -> int:
    """Peak memory of a process in MB; 0 if it has ended."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1000 if "VmHWM:" in status else 0


@dataclass(frozen=True)
class Result:
    """Of each video in a folder: its row of probe, its kinds of failure by stage, and its features."""

    infos: dict[str, VideoInfo]
    failure_kinds: dict[str, dict[str, str]]
    rows: dict[str, dict[str, VideoFeatures]]


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Paths of small networks with random weights, by stream."""
    options = VggishOptions(width=0.125)
    networks_by_stream = {
        "rgb": random_i3d(I3dOptions(3, 0.125, 42, 32)),
        "audio": NetworkWeights({"vggish": to_plain_data(options)}, get_tensors(vggish.build(options))),
    }
    folder = tmp_path_factory.mktemp("networks")
    for stream, network in networks_by_stream.items():
        metadata = {"name": stream, **network.metadata}
        save_weights(folder / f"{stream}.safetensors", network.tensors, Provenance("weights", {}, "code"), metadata)
    return {stream: folder / f"{stream}.safetensors" for stream in networks_by_stream}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write_video(folder / "good-1.mp4", frames=100, tone=[440])
    write_video(folder / "good-2.mkv", frames=60, tone=[220, 330], size=(128, 96), sound_codec="flac")
    write_video(folder / "good-3.avi", frames=40, codec="mpeg4")
    return folder


@pytest.fixture(scope="module")
def hostile_folder(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good videos among all hostile and broken files."""
    folder = tmp_path_factory.mktemp("hostile")
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
    runtime = Runtime(device="cpu", decoder_timeout_s=DECODER_TIMEOUT_S)
    probe.run(ProbeSpec(), videos=videos, shard=shard, out=table, failures=failures, runtime=runtime)
    reports, rows = read_rows(failures), {}
    for stream, encoder in STREAMS.items():
        features, failures = out / f"{stream}.parquet", out / f"{stream}_failures.parquet"
        extract.run(
            ExtractSpec(stream, encoder, torch_threads=1), videos=videos, probe=table, weights=(networks[stream],),
            out=features, failures=failures, runtime=runtime,
        )  # fmt: skip
        reports += read_rows(failures)
        rows[stream] = {video.video_id: video for video in read_shard(features)}
    failure_kinds: dict[str, dict[str, str]] = defaultdict(dict)
    for report in reports:
        failure_kinds[report["video_id"]][report["stage"].removeprefix("extract/")] = report["kind"]
        assert report["message"]
        assert "\n" not in report["message"]
    return Result({row["video_id"]: VideoInfo(**row) for row in read_rows(table)}, failure_kinds, rows)


def files_below(folder: Path) -> set[str]:
    return {os.path.join(place, name) for place, _, names in os.walk(folder) for name in names}


@dataclass(frozen=True)
class HostileRun:
    """Result of the hostile folder, files left elsewhere on disk, and stderr of the decoders."""

    result: Result
    files_left: set[str]
    stderr: str


@pytest.fixture(scope="module")
def hostile_run(
    hostile_folder: Path, networks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> HostileRun:
    root = tmp_path_factory.getbasetemp()
    out, before = tmp_path_factory.mktemp("out"), files_below(root) | files_below(Path.cwd())
    with pytest.MonkeyPatch.context() as patch, (out / "stderr").open("w") as stderr:
        patch.setattr(decoder_process, "Decoder", MeasuredDecoder)
        patch.setattr(probing, "Decoder", MeasuredDecoder)
        saved_stderr = os.dup(2)
        os.dup2(stderr.fileno(), 2)
        try:
            result = run(hostile_folder, networks, out)
        finally:
            os.dup2(saved_stderr, 2)
            os.close(saved_stderr)
    files_left = (files_below(root) | files_below(Path.cwd())) - before - files_below(out)
    return HostileRun(result, files_left, (out / "stderr").read_text())


def failure_kinds_of(hostile_run: HostileRun, name: str) -> dict[str, str]:
    return hostile_run.result.failure_kinds.get(Path(name).stem, {})


def test_every_file_has_its_row(hostile_run: HostileRun) -> None:
    names = {*ONE_BY_ONE, *DAMAGE, *bad.CASES, *bad.BROKEN, *(f"{name}.mp4" for name in NAMES)} - {"directory.mp4"}
    others = {"good-1", "good-2", "good-3", "linked", "not-utf-8-\\udcff"}
    assert set(hostile_run.result.infos) == {Path(name).stem for name in names} | others


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_false_metadata_bombs_and_traps_give_the_right_failure_rows(hostile_run: HostileRun, name: str) -> None:
    assert failure_kinds_of(hostile_run, name) == ONE_BY_ONE[name].failures


def test_randomly_damaged_files_are_read_or_have_a_failure_row(hostile_run: HostileRun) -> None:
    kinds = {kind for name in DAMAGE for kind in failure_kinds_of(hostile_run, name).values()}
    assert kinds <= {"not-a-video", "no-video", "no-frames", "codec", "size", "timestamps", "partial"}
    whole = [name for name in DAMAGE if not failure_kinds_of(hostile_run, name)]
    assert 0 < len(whole) < len(DAMAGE)


def test_the_files_known_of_old_are_as_good_or_bad_in_a_crowd(hostile_run: HostileRun) -> None:
    for name, (_, kind) in bad.BROKEN.items():
        assert failure_kinds_of(hostile_run, name) == ({} if name == "directory.mp4" else {"probe": kind}), name
    for name, case in bad.CASES.items():
        failure_kinds = failure_kinds_of(hostile_run, name)
        assert failure_kinds.get("probe") == ("partial" if case.reason else None), name
        assert set(failure_kinds.values()) <= {"partial"}, name


def test_what_can_be_read_has_a_row_a_snippet_and_nothing_is_lost_in_silence(hostile_run: HostileRun) -> None:
    result = hostile_run.result
    read = {i: info.snippets for i, info in result.infos.items() if info.status != "failed"}
    for stream, rows in result.rows.items():
        assert {i: len(video.coverage) for i, video in rows.items()} == read, stream
    for video_id, video in result.rows["rgb"].items():
        assert video.coverage.any() or "rgb" in result.failure_kinds[video_id], video_id
        assert np.isfinite(video.feature).all()


def test_a_name_is_but_a_name(hostile_run: HostileRun) -> None:
    rows = hostile_run.result.rows
    for name in (*NAMES, "linked"):
        for stream in STREAMS:
            np.testing.assert_array_equal(rows[stream][name].feature, rows[stream]["good-1"].feature)
    assert hostile_run.result.failure_kinds["not-utf-8-\\udcff"] == {"probe": "name"}


def test_the_rows_of_good_videos_are_the_bytes_they_have_alone(
    hostile_run: HostileRun, good: Path, networks: dict[str, Path], tmp_path: Path
) -> None:
    alone = run(good, networks, tmp_path)
    assert not alone.failure_kinds
    for video_id, info in alone.infos.items():
        assert hostile_run.result.infos[video_id] == info
        for stream in STREAMS:
            found, wanted = hostile_run.result.rows[stream][video_id], alone.rows[stream][video_id]
            assert found.feature.any() or stream == "audio"
            for column in ("start", "stop", "coverage", "feature", "loudness"):
                assert np.asarray(getattr(found, column)).tobytes() == np.asarray(getattr(wanted, column)).tobytes()


def test_no_file_takes_long_or_much(hostile_run: HostileRun) -> None:
    assert max(MeasuredDecoder.waiting_seconds.values()) < DECODER_TIMEOUT_S + RESTART_S
    assert 0 < MeasuredDecoder.peak_mb < MAX_MEMORY_MB


def test_nothing_is_left_elsewhere_and_no_traceback_is_shown(hostile_run: HostileRun) -> None:
    assert hostile_run.files_left == set()
    assert "Traceback" not in hostile_run.stderr


# A process inherits the peak memory of its parent, so a small process starts it and prints the peak of its children.
MEASURE_SCRIPT = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@pytest.mark.slow
def test_the_commands_end_well_and_small(hostile_folder: Path, networks: dict[str, Path], tmp_path: Path) -> None:
    """Run them as processes, so that the memory of the stages is measured too."""
    table = tmp_path / "probe.parquet"
    shared = ["--videos", str(hostile_folder), "--decoder-timeout-s", str(DECODER_TIMEOUT_S)]
    failures = ["--failures", str(tmp_path / "failures.parquet")]
    commands = [["probe", "--shard", "0000-of-0001", "--out", str(table), *shared, *failures]]
    for stream, encoder in STREAMS.items():
        cfg, out = to_canonical_json(ExtractSpec(stream, encoder, torch_threads=1)), tmp_path / f"{stream}.parquet"
        options = ["--spec", cfg, "--weights", str(networks[stream]), "--out", str(out), "--device", "cpu"]
        commands.append(["extract", "--probe", str(table), *options, *shared, *failures])
    for command in commands:
        measured_command = [sys.executable, "-c", MEASURE_SCRIPT, sys.executable, "-m", "clip_ae", *command]
        completed = subprocess.run(measured_command, check=False, capture_output=True, text=True)
        assert completed.returncode == 0
        assert "Traceback" not in completed.stderr
        # In kB, of the largest of the stage and its decoders.
        assert 0 < int(completed.stdout.split()[-1]) < 1000 * MAX_MEMORY_MB
