"""tune_encoder on small videos: which weights change, which do not, and extraction with the tuned network."""

import json

import numpy as np
import pytest

from clip_ae.core.config.feature_adapters import AdapterTraining, FeatureAdapter, I3dFinetuning
from clip_ae.core.config.schema import I3dOptions, Runtime
from clip_ae.core.config.specs import ExtractSpec, ProbeSpec, TuneEncoderSpec
from clip_ae.core.config.streams import I3dEncoder, I3dFlowEncoder, StreamRoles
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import VideoFeatures
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import read_shard
from clip_ae.encoders.networks.i3d import INCEPTION_CHANNELS
from clip_ae.language.spans import Span
from clip_ae.language.training_spans import TrainingSpans
from clip_ae.pipeline.training_spans import SpanFiles
from clip_ae.stages import extract, probe, tune_encoder
from clip_ae.weights.network_file import read_weights, save_weights
from tests.encoders.random_networks import random_i3d
from tests.media_files import write_video

SHARD = "0000-of-0001"
STREAMS = {
    "rgb": I3dEncoder(weights="small", batch_size=4),
    "flow": I3dFlowEncoder(weights="small", batch_size=4, algorithm="dis", clip_value=2.0),
}
TUNING = I3dFinetuning(blocks=2, steps=12, batch_size=3, learning_rate=1e-3)
TRAINING = AdapterTraining(
    steps=12, batch_size=3, actions_per_sequence=2, width=4, dropout=0, learning_rate=1e-2, tuning=TUNING
)
# Two kinds of action and their background, in videos of six snippets.
ACTIONS = [Span("a", 0, 3, 1), Span("b", 1, 4, 2)]
BACKGROUND = [Span("a", 4, 6), Span("b", 5, 6)]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    (folder / "videos").mkdir()
    for name in ("a", "b", "c"):
        write_video(folder / f"videos/{name}.mp4", frames=96, draw=lambda n, size, name=name: stripes(n, size, name))
    probe.run(
        ProbeSpec(),
        videos=folder / "videos",
        shard=SHARD,
        out=folder / f"{SHARD}.parquet",
        failures=folder / "f.parquet",
    )
    for stream, channels in (("rgb", 3), ("flow", 2)):
        network = random_i3d(I3dOptions(channels, 0.125, 36, 36, classes=5))
        metadata = {**network.metadata, "name": "small", "licence": "MIT", "metrics": {"train_accuracy": 1.0}}
        save_weights(folder / f"{stream}.safetensors", dict(network.tensors), Provenance("weights", {}, ""), metadata)
    return folder


def stripes(number, size, name):
    """Vertical or horizontal stripes that move."""
    width, height = size
    places = np.arange(width if name == "a" else height) + number
    row = (127 + 120 * np.sin(places / 4)).astype(np.uint8)
    picture = np.broadcast_to(row if name == "a" else row[:, None], (height, width))
    return np.repeat(picture[..., None], 3, axis=2)


def build_training_spans():
    times = np.arange(6.0)
    looks = {"a": np.eye(2)[[0] * 6], "b": np.eye(2)[[1] * 6]}
    clip = {
        i: VideoFeatures(i, times, times + 1, np.ones(6, np.float32), x.astype(np.float16)) for i, x in looks.items()
    }
    return TrainingSpans(ACTIONS, {1: "x", 2: "y"}, BACKGROUND, {"clip": clip})


def run_tune_encoder(world, out_dir, monkeypatch, stream="rgb", training=TRAINING):
    """Fine-tune on spans as a run could give them."""
    monkeypatch.setattr(
        tune_encoder, "load_training_spans", lambda *_: (build_training_spans(), {"localizer": "of a run"})
    )
    spec = TuneEncoderSpec(
        FeatureAdapter("some", mode="encoder"),
        StreamRoles(("rgb", "flow"), "clip"),
        training,
        extract=ExtractSpec(stream, STREAMS[stream]),
        torch_threads=1,
    )
    out_dir.mkdir()
    tune_encoder.run(
        spec,
        source=tune_encoder.SourceFiles(
            world / "videos", (world / f"{SHARD}.parquet",), (world / f"{stream}.safetensors",)
        ),
        files=SpanFiles(world, 1, world / "model", world / "labels"),
        out=out_dir / "x.safetensors",
        log=out_dir / "x.jsonl",
        runtime=Runtime(device="cpu"),
    )
    return read_weights(out_dir / "x.safetensors")


@pytest.mark.parametrize("stream", STREAMS)
def test_only_convolutions_of_the_tuned_blocks_change(world, tmp_path, monkeypatch, stream):
    before = read_weights(world / f"{stream}.safetensors").tensors
    after = run_tune_encoder(world, tmp_path / "once", monkeypatch, stream).tensors
    assert after.keys() == before.keys()
    changed = {name for name in before if before[name].tobytes() != after[name].tobytes()}
    learning = {n for n in before if n.startswith(("Mixed_5b", "Mixed_5c")) and n.endswith("conv3d.weight")}
    assert changed == learning


def test_the_loss_falls(world, tmp_path, monkeypatch):
    long = AdapterTraining(**{**vars(TRAINING), "steps": 150})
    run_tune_encoder(world, tmp_path / "long", monkeypatch, training=long)
    losses = [json.loads(line)["rgb"] for line in (tmp_path / "long/x.jsonl").read_text().splitlines()]
    assert len(losses) == 3
    assert losses[-1] < 0.8 * losses[0]


def test_the_same_bytes_again_and_where_the_blocks_work_twice(world, tmp_path, monkeypatch):
    once, again = (run_tune_encoder(world, tmp_path / name, monkeypatch) for name in ("once", "again"))
    assert (tmp_path / "once/x.safetensors").read_bytes() == (tmp_path / "again/x.safetensors").read_bytes()
    frugal = AdapterTraining(
        **{**vars(TRAINING), "tuning": I3dFinetuning(**{**vars(TUNING), "activation_checkpointing": True})}
    )
    twice = run_tune_encoder(world, tmp_path / "twice", monkeypatch, training=frugal)
    assert all(once.tensors[name].tobytes() == twice.tensors[name].tobytes() for name in once.tensors)
    assert once.tensors.keys() == again.tensors.keys()


def test_what_is_known_of_the_network_goes_on(world, tmp_path, monkeypatch):
    base, tuned = read_weights(world / "rgb.safetensors"), run_tune_encoder(world, tmp_path / "once", monkeypatch)
    assert tuned.metadata["i3d"] == base.metadata["i3d"]
    assert tuned.metadata["licence"] == "MIT"
    assert tuned.metadata["tuned"] == list(INCEPTION_CHANNELS)[-2:]
    assert "metrics" not in tuned.metadata
    assert tuned.provenance.stage == "tune_encoder"
    probed = read_parquet_provenance(world / f"{SHARD}.parquet").id
    assert tuned.provenance.inputs == {"localizer": "of a run", "small": base.provenance.id, f"probe/{SHARD}": probed}


def test_extract_reads_the_tuned_network(world, tmp_path, monkeypatch):
    run_tune_encoder(world, tmp_path / "once", monkeypatch)
    rows = []
    for weights in (world / "rgb.safetensors", tmp_path / "once/x.safetensors"):
        extract.run(
            ExtractSpec("rgb", STREAMS["rgb"]), videos=world / "videos", probe=world / f"{SHARD}.parquet",
            weights=(weights,), out=tmp_path / "x.parquet", failures=tmp_path / "f.parquet",
            runtime=Runtime(device="cpu"),
        )  # fmt: skip
        rows.append(np.concatenate([video.feature for video in read_shard(tmp_path / "x.parquet")]))
        assert read_parquet_provenance(tmp_path / "x.parquet").inputs["small"] == read_weights(weights).provenance.id
    assert rows[0].shape == rows[1].shape
    assert len(rows[0]) == 18
    assert not np.array_equal(*rows)


def test_max_snippets_limits_the_decoded_snippets(world, tmp_path, monkeypatch, capsys):
    few = AdapterTraining(**{**vars(TRAINING), "tuning": I3dFinetuning(**{**vars(TUNING), "max_snippets": 8})})
    run_tune_encoder(world, tmp_path / "few", monkeypatch, training=few)
    num_snippets = int(capsys.readouterr().err.partition(" snippets as inputs of the tuned blocks")[0].split()[-1])
    assert num_snippets <= 8
    none = AdapterTraining(**{**vars(TRAINING), "tuning": I3dFinetuning(**{**vars(TUNING), "max_snippets": 2})})
    with pytest.raises(UserError, match="max_snippets: 2 snippets contain 0 action classes"):
        run_tune_encoder(world, tmp_path / "none", monkeypatch, training=none)
