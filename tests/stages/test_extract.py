import re
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_ae.core.config import registry
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import I3dOptions, RaftOptions, Runtime
from clip_ae.core.config.specs import ExtractSpec, ProbeSpec
from clip_ae.core.config.streams import I3dEncoder, I3dFlowEncoder, StreamEncoder, VggishEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.timeline import SNIPPET_FRAMES, FrameSampling
from clip_ae.core.types import VideoFeatures
from clip_ae.data.parquet import read_parquet_provenance, read_rows
from clip_ae.data.shards import read_shard
from clip_ae.encoders.networks import raft
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.stages import extract, probe
from clip_ae.weights.network_file import read_weights_provenance, save_weights
from tests.encoders.random_networks import random_i3d
from tests.media_files import read_counter, truncated, write_video

SHARD = "0000-of-0001"


@dataclass
class CounterStream:
    """A stream whose features are the numbers on the first and the last frame."""

    batch: int
    frame_size: int | None = 32
    sampling: FrameSampling = SNIPPET_FRAMES
    dim: int = 2

    def prepare(self, window: NDArray[Any]) -> NDArray[np.float32]:
        return np.array([read_counter(window[0]), read_counter(window[-1])], np.float32)

    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        assert batch.shape == (self.batch, 2)
        return batch


class LoudnessStream(CounterStream):
    """A stream whose features are the amplitude and the length of a tone."""

    def prepare(self, window: NDArray[Any]) -> NDArray[np.float32]:
        return np.array([np.sqrt(2 * np.mean(window**2)), len(window)], np.float32)


class OverflowingStream(CounterStream):
    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.where(batch[:, :1] == 16, np.float32(1e9), batch)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name, frames in (("a", 48), ("b b", 20), ("c", 100)):
        write_video(folder / f"{name}.mp4", frames=frames, tone=[440] if name == "a" else None)
    return folder


def run(
    monkeypatch: pytest.MonkeyPatch,
    videos: Path,
    encoder: CounterStream,
    batch: int = 4,
    out: str = "out",
    num_workers: int = 1,
) -> tuple[dict[str, VideoFeatures], list[dict[str, Any]], Path]:
    out_dir = videos.parent / out
    table, shard, failures, weights = (
        out_dir / n for n in ("probe.parquet", "x.parquet", "f.parquet", "w.safetensors")
    )
    if not table.exists():
        probe.run(ProbeSpec(), videos=videos, shard=SHARD, out=table, failures=out_dir / "pf.parquet")
    save_weights(weights, {"w": np.zeros(1, np.float32)}, Provenance("weights", {}, "code"), {"i3d": {}, "vggish": {}})
    module = SimpleNamespace(build_stream=lambda **_: encoder, LIBRARIES=())
    monkeypatch.setattr(registry, "load_module", lambda name: module)
    audio = encoder.frame_size is None
    kind = VggishEncoder if audio else I3dEncoder
    # Measuring what `auto` stands for would also run the network.
    settings = kind(batch_size=batch, backend="torch", precision="fp32")
    extract.run(
        ExtractSpec("audio" if audio else "rgb", settings),
        videos=videos,
        probe=table,
        weights=(weights,),
        out=shard,
        failures=failures,
        runtime=Runtime(device="cpu", num_workers=num_workers),
    )
    return {v.video_id: v for v in read_shard(shard)}, read_rows(failures), shard


def test_row_k_is_snippet_k_in_batches_across_videos(monkeypatch: pytest.MonkeyPatch, videos: Path) -> None:
    found, failures, shard = run(monkeypatch, videos, CounterStream(4))
    assert list(found) == ["a", "b b", "c"]
    assert failures == []
    assert found["a"].feature.tolist() == [[0, 15], [16, 31], [32, 47]]
    assert found["b b"].feature.tolist() == [[0, 15]]
    assert found["c"].feature.tolist() == [[16 * k, 16 * k + 15] for k in range(6)]
    assert found["c"].start.tolist() == pytest.approx([0.64 * k for k in range(6)])
    assert all((v.coverage == 1).all() for v in found.values())
    assert set(read_parquet_provenance(shard).inputs) == {"probe", "rgb_imagenet"}


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_the_batch_changes_no_row(monkeypatch: pytest.MonkeyPatch, videos: Path, batch: int) -> None:
    reference, _, _ = run(monkeypatch, videos, CounterStream(4))
    found, _, _ = run(monkeypatch, videos, CounterStream(batch), batch)
    for video_id, video in found.items():
        np.testing.assert_array_equal(video.feature, reference[video_id].feature)


def test_output_bytes_do_not_depend_on_the_order_of_decoders(monkeypatch: pytest.MonkeyPatch, videos: Path) -> None:
    one, two, three = (
        run(monkeypatch, videos, CounterStream(4), out=out, num_workers=num_workers)[2].read_bytes()
        for out, num_workers in (("one", 1), ("two", 1), ("three", 3))
    )
    assert one == two == three


def test_sound_has_as_many_rows_and_a_silent_film_is_no_failure(monkeypatch: pytest.MonkeyPatch, videos: Path) -> None:
    found, failures, _ = run(monkeypatch, videos, LoudnessStream(4, frame_size=None))
    assert [len(v.start) for v in found.values()] == [3, 1, 6]
    assert failures == []
    assert found["a"].feature[1].tolist() == pytest.approx([0.5, 15600], abs=0.02)
    assert not found["c"].feature.any()
    assert not found["c"].coverage.any()


def test_a_truncated_video_has_all_rows_and_a_failure(monkeypatch: pytest.MonkeyPatch, videos: Path) -> None:
    truncated(write_video(videos / "cut.mp4", frames=250, container={"movflags": "faststart"}), 0.5)
    found, failures, _ = run(monkeypatch, videos, CounterStream(4))
    assert found["cut"].feature.shape == (16, 2)
    missing = found["cut"].coverage == 0
    assert missing.any()
    assert not found["cut"].feature[missing].any()
    assert [(f["video_id"], f["stage"], f["kind"]) for f in failures] == [("cut", "extract/rgb", "partial")]


def test_a_video_that_vanished_after_probe_keeps_its_rows(monkeypatch: pytest.MonkeyPatch, videos: Path) -> None:
    run(monkeypatch, videos, CounterStream(4))
    (videos / "c.mp4").unlink()
    found, failures, _ = run(monkeypatch, videos, CounterStream(4))
    assert found["c"].feature.shape == (6, 2)
    assert not found["c"].coverage.any()
    assert found["a"].coverage.all()
    assert [(f["video_id"], f["kind"]) for f in failures] == [("c", "missing")]


def test_features_not_finite_in_float16_are_zero_with_a_failure_row(
    monkeypatch: pytest.MonkeyPatch, videos: Path
) -> None:
    found, failures, _ = run(monkeypatch, videos, OverflowingStream(4))
    assert found["a"].feature.tolist() == [[0, 15], [0, 0], [32, 47]]
    assert found["a"].coverage.tolist() == [1, 0, 1]
    assert [(f["video_id"], f["kind"]) for f in failures] == [("a", "not-finite"), ("c", "not-finite")]


def test_a_shard_of_broken_videos_is_a_valid_empty_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "x.mp4").touch()
    found, failures, shard = run(monkeypatch, tmp_path / "videos", CounterStream(4))
    assert (found, failures) == ({}, [])
    assert shard.is_file()
    assert "idle" not in capsys.readouterr().err


def run_with_networks(
    videos: Path, encoder: StreamEncoder, weights: dict[str, tuple[dict[str, NDArray[Any]], dict[str, Any]]], out: str
) -> Path:
    """Run probe and extract with networks given as (tensors, metadata) by name. Returns the shard."""
    out_dir = videos.parent / out
    files = tuple(out_dir / f"{name}.safetensors" for name in weights)
    for file, (tensors, metadata) in zip(files, weights.values(), strict=True):
        save_weights(file, tensors, Provenance("weights", {"name": file.stem}, "code"), {**metadata, "name": file.stem})
    probe.run(
        ProbeSpec(),
        videos=videos,
        shard=SHARD,
        out=out_dir / "probe.parquet",
        failures=out_dir / "probe_failures.parquet",
    )
    extract.run(
        ExtractSpec("flow" if isinstance(encoder, I3dFlowEncoder) else "rgb", encoder),
        videos=videos,
        probe=out_dir / "probe.parquet",
        weights=files,
        out=out_dir / "x.parquet",
        failures=out_dir / "failures.parquet",
        runtime=Runtime(device="cpu"),
    )
    return out_dir / "x.parquet"


def rows_of(shard: Path) -> NDArray[np.float32]:
    return np.concatenate([video.feature for video in read_shard(shard)]).astype(np.float32)


def cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: NDArray[np.float32] = (one * other).sum(axis=1) / lengths
    return found


RGB = I3dEncoder(batch_size=4, backend="torch", precision="fp32")
PRECISION_CHECK_LINE = re.compile(
    r"^rgb by torch in (.*) against fp32, first batch: cosine (\S+), largest difference (\S+)%$", re.MULTILINE
)


def check_faster_setting(videos: Path, setting: I3dEncoder, capsys: pytest.CaptureFixture[str]) -> tuple[str, float]:
    """The name of a faster setting and its largest difference to fp32; its features and log line are checked."""
    network = random_i3d(I3dOptions(3, 0.125, 40, 32))
    weights = {RGB.weights: (dict(network.tensors), dict(network.metadata))}
    exact = rows_of(run_with_networks(videos, RGB, weights, "exact"))
    assert not PRECISION_CHECK_LINE.search(capsys.readouterr().err), "fp32 is not compared with itself"
    found = rows_of(run_with_networks(videos, setting, weights, "fast"))
    assert len(found) == 10
    assert cosines(found, exact).min() > 0.999
    ((name, cosine, _),) = PRECISION_CHECK_LINE.findall(capsys.readouterr().err)
    assert float(cosine) > 0.999
    return name, float(np.abs(found - exact).max())


def test_bf16_tells_what_it_costs(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, difference = check_faster_setting(videos, replace(RGB, precision="bf16"), capsys)
    assert name == "bf16"
    assert difference > 0


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_translated_network_tells_what_it_costs(
    videos: Path, capsys: pytest.CaptureFixture[str], precision: Any
) -> None:
    name, _ = check_faster_setting(videos, replace(RGB, precision=precision, compile=True), capsys)
    assert name == f"{precision}, compiled,"


def test_flow_in_the_network_s_thread_takes_videos_of_any_width(videos: Path) -> None:
    """Whole frames travel there, so a batch is of one width."""
    network = random_i3d(I3dOptions(2, 0.125, 40, 32))
    weights = {"flow_imagenet": (dict(network.tensors), dict(network.metadata))}
    (videos / "c.mp4").unlink()
    write_video(videos / "wide.mp4", frames=40, size=(128, 48))
    found = []
    for batch in (1, 4):
        flow = I3dFlowEncoder(batch_size=batch, backend="torch", algorithm="tvl1_torch", precision="fp32")
        found.append(rows_of(run_with_networks(videos, flow, weights, f"batch-{batch}")))
    assert len(found[0]) == 7
    assert cosines(*found).min() > 0.9999


def test_raft_comes_with_weights_of_its_own(videos: Path) -> None:
    network, options = random_i3d(I3dOptions(2, 0.125, 40, 32)), RaftOptions("small")
    weights = {
        "flow_imagenet": (dict(network.tensors), dict(network.metadata)),
        "sharp": (get_tensors(raft.build(options)), {"raft": to_plain_data(options)}),
    }
    flow = I3dFlowEncoder(batch_size=2, backend="torch", algorithm="raft", raft="sharp", precision="fp32")
    (videos / "c.mp4").unlink()
    shard = run_with_networks(videos, flow, weights, "out")
    assert np.isfinite(rows_of(shard)).all()
    inputs = read_parquet_provenance(shard).inputs
    assert {name: inputs[name] for name in weights} == {
        name: read_weights_provenance(shard.parent / f"{name}.safetensors").id for name in weights
    }


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ((), r"--weights: rgb needs 1 files \(i3d\); got 0"),
        (("i3d", "raft"), r"--weights: rgb needs 1 files \(i3d\); got 2"),
        (("vggish",), "--weights: given has no i3d network, which rgb needs"),
    ],
)
def test_weights_given_by_hand_are_checked(tmp_path: Path, kinds: tuple[str, ...], message: str) -> None:
    files = tuple(tmp_path / f"{kind}.safetensors" for kind in kinds)
    for kind, path in zip(kinds, files, strict=True):
        metadata = {"name": "given", kind: {}}
        save_weights(path, {"w": np.zeros(1, np.float32)}, Provenance("weights", {}, "code"), metadata)
    with pytest.raises(UserError, match=message):
        extract.run(
            ExtractSpec("rgb", I3dEncoder()), videos=tmp_path, probe=tmp_path / "p", weights=files,
            out=tmp_path / "x", failures=tmp_path / "f", runtime=Runtime(device="cpu"),
        )  # fmt: skip
