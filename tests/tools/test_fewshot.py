"""`clip-ae fewshot`: from clips and videos to segments, on small networks with random weights."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from clip_ae.cli import main
from clip_ae.core.config.schema import I3dOptions, Runtime
from clip_ae.core.config.specs import ExtractSpec, ProbeSpec
from clip_ae.core.config.streams import I3dEncoder, I3dFlowEncoder
from clip_ae.core.provenance import Provenance
from clip_ae.data.detections import read_detections, read_json_provenance
from clip_ae.data.shards import read_stream_input_id
from clip_ae.language.adapter import JointEmbedding
from clip_ae.localizers.model_state import module_arrays
from clip_ae.stages import extract, probe
from clip_ae.weights.network_file import save_weights
from tests.encoders.random_networks import random_i3d
from tests.media_files import write_video

DIM = 128


def scene(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A frame of background: stripes that do not move."""
    x = np.arange(size[0]) // 12 % 2 * 120
    return np.broadcast_to(x[None, :, None], (size[1], size[0], 3)).astype(np.uint8).copy()


def action(class_index: int, number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A frame of an action: a red square moves to the right, or a blue bar moves down."""
    picture = scene(number, size)
    if class_index == 0:
        left = 3 * number % (size[0] - 30)
        picture[8:56, left : left + 30] = (255, 20, 20)
    else:
        top = 2 * number % (size[1] - 40)
        picture[top : top + 40] = (20, 60, 255)
    return picture


def action_video(*parts: int):
    """Arguments of write_video: parts of three snippets each; -1 is background, 0 and 1 are actions."""

    def draw(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        class_index = parts[min(number // 48, len(parts) - 1)]
        return scene(number, size) if class_index < 0 else action(class_index, number, size)

    return {"frames": 48 * len(parts), "draw": draw}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """results/mine as after a workflow: weights, features with provenance, and a feature adapter."""
    root = tmp_path_factory.mktemp("project")
    results, raw = root / "results/mine", root / "raw"
    raw.mkdir()
    write_video(raw / "old.mp4", **action_video(-1, 0))
    options = {"rgb": I3dOptions(3, 0.125, 40, 32, 5), "flow": I3dOptions(2, 0.125, 40, 32, 5)}
    encoders = {
        "rgb": I3dEncoder(weights="rgb", batch_size=2),
        "flow": I3dFlowEncoder(weights="flow", batch_size=2, algorithm="dis"),
    }
    for name, geometry in options.items():
        network = random_i3d(geometry)
        save_weights(
            root / f"results/weights/{name}.safetensors",
            dict(network.tensors),
            Provenance("weights", {}, name),
            dict(network.metadata),
        )
    probe.run(ProbeSpec(), videos=raw, shard="0000-of-0001", out=results / "probe.parquet", failures=root / "f.parquet")
    for name, encoder in encoders.items():
        extract.run(
            ExtractSpec(name, encoder), videos=raw, probe=results / "probe.parquet",
            weights=(root / f"results/weights/{name}.safetensors",),
            out=results / f"features/{name}/0000-of-0001.parquet", failures=root / "f.parquet",
            runtime=Runtime(device="cpu"),
        )  # fmt: skip
    torch.manual_seed(0)
    joint = JointEmbedding(dict.fromkeys(encoders, DIM), 4, 8, 0.1, learned_temperature=False)
    inputs = {f"features/{name}": read_stream_input_id(results / "features", name, 1) for name in encoders}
    model = results / "adapters/words/model.safetensors"
    save_weights(model, module_arrays(joint), Provenance("train_adapter", {}, "", inputs), {"joint": joint.init_args})
    return results


@pytest.fixture(scope="module")
def support_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("support_files")
    for name, class_index in (("red", 0), ("blue", 1)):
        (root / "clips" / name).mkdir(parents=True)
        write_video(root / "clips" / name / "one.mp4", **action_video(class_index))
    (root / "videos/deep").mkdir(parents=True)
    write_video(root / "videos/a.mp4", **action_video(-1, 0, -1))
    write_video(root / "videos/deep/b.mp4", **action_video(-1, -1, 1))
    few = {
        "a": {"subset": "few", "annotations": [{"label": "red", "segment": [1.92, 3.84]}]},
        "b": {"subset": "few", "annotations": [{"label": "blue", "segment": [3.84, 5.76]}]},
    }
    (root / "few.json").write_text(json.dumps({"database": few}))
    return root


def fewshot(dataset: Path, *words: object, support: Path, videos: Path) -> int:
    model = dataset / "adapters/words"
    line = ["fewshot", "--adapter", model, "--support", support, "--videos", videos, "--device", "cpu", *words]
    return main([str(word) for word in line])


@pytest.mark.parametrize("support", ["clips", "few.json"])
def test_actions_like_the_examples_are_found_with_their_times(
    dataset: Path, support_files: Path, tmp_path: Path, support: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "detections.json"
    assert fewshot(dataset, "--out", out, support=support_files / support, videos=support_files / "videos") == 0
    detections = read_detections(out)
    for video_id, label, start in (("a", "red", 1.92), ("b", "blue", 3.84)):
        best = max((d for d in detections if d.video_id == video_id), key=lambda d: d.score)
        assert best.label == label
        assert abs(best.start - start) < 0.64
        assert abs(best.stop - start - 1.92) < 0.64
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["video", "class", "start", "stop", "score"]
    assert lines[1].split()[:2] == ["a", "red"]
    assert lines[-1] == f"2 videos, 2 classes, 2 examples: {len(detections)} detections"
    provenance = read_json_provenance(out)
    assert provenance.stage == "fewshot"
    assert set(provenance.inputs) == {"adapter", "source_files", "support", "weights/rgb", "weights/flow"}


def test_a_single_video_is_drawn_as_a_timeline(
    dataset: Path, support_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fewshot(dataset, "--top", 1, support=support_files / "clips", videos=support_files / "videos/deep") == 0
    first, axis, line, last = capsys.readouterr().out.splitlines()
    assert first == "b, 5.8 s"
    assert axis.split()[0] == "|0"
    assert line.startswith("blue ")
    assert last.startswith("1 videos, 2 classes, 2 examples")


def test_broken_files_are_logged_and_a_clip_shorter_than_a_snippet_is_used(
    dataset: Path, support_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("clips", "videos"):
        shutil.copytree(support_files / name, tmp_path / name)
    (tmp_path / "clips/red/broken.mp4").write_bytes(b"junk")
    (tmp_path / "videos/broken.mp4").write_bytes(b"junk")
    write_video(tmp_path / "clips/red/short.mp4", frames=5)
    assert fewshot(dataset, support=tmp_path / "clips", videos=tmp_path / "videos") == 0
    output = capsys.readouterr()
    assert output.err.count("broken.mp4: not-a-video") == 2
    assert "short.mp4: 0.20 s are shorter than a snippet of 0.64 s" in output.err
    assert "2 videos (1 more could not be read), 2 classes, 3 examples" in output.out


def test_a_file_under_two_names_is_searched_under_both(
    dataset: Path, support_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(support_files / "videos", tmp_path / "videos")
    (tmp_path / "videos/again.mp4").symlink_to("a.mp4")
    assert (
        fewshot(dataset, "--out", tmp_path / "f.json", support=support_files / "clips", videos=tmp_path / "videos") == 0
    )
    assert {d.video_id for d in read_detections(tmp_path / "f.json")} == {"a", "again", "b"}
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 videos, 2 classes")


def test_wrong_arguments_are_refused(
    dataset: Path, support_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(
        *words: object, code: int = 2, support: Path = support_files / "clips", videos: Path = support_files / "videos"
    ) -> str:
        assert fewshot(dataset, *words, support=support, videos=videos) == code
        return capsys.readouterr().err.splitlines()[-1]

    assert "at least 1" in refused("--top", 0)
    assert "contains no model; expected results/{dataset}/adapters/{adapter}" in refused("--adapter", tmp_path)
    command = "snakemake --cores 2 results/demo/adapters/base_classes/model.safetensors"
    assert f"contains no model; make it with `{command}`" in refused("--adapter", "results/demo/adapters/base_classes")
    weights = dataset.parent / "weights/rgb.safetensors"
    assert "not a network of train_adapter" in refused("--adapter", weights)
    assert "no such folder" in refused(videos=tmp_path / "none")
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk/x.mp4").write_bytes(b"junk")
    assert "no video could be read; the lines above say why" in refused(code=3, videos=tmp_path / "junk")
    (tmp_path / "few/red").mkdir(parents=True)
    (tmp_path / "few/red/x.mp4").write_bytes(b"junk")
    assert "'red' has no example that can be used" in refused(code=3, support=tmp_path / "few")
    late = {"a": {"subset": "few", "annotations": [{"label": "red", "segment": [60, 70]}]}}
    (tmp_path / "late.json").write_text(json.dumps({"database": late}))
    assert "'red' has no example that can be used" in refused(code=3, support=tmp_path / "late.json")
