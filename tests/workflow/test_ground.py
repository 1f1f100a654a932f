"""`clip-ae ground` on the finished tiny demo: a new video gets the same moments as in the dataset, in both spaces."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from clip_ae.cli import main
from clip_ae.core.config.feature_adapters import AdapterTraining
from clip_ae.core.paths import ADAPTED_FEATURES, ADAPTER_MODEL, INDEX
from clip_ae.core.provenance import Provenance
from clip_ae.core.sharding import list_shard_names
from clip_ae.core.types import Detection
from clip_ae.data.detections import read_detections
from clip_ae.data.shards import read_shard
from clip_ae.language.adapter_training import create_joint_embedding
from clip_ae.localizers.model_state import module_arrays
from clip_ae.weights.network_file import save_weights
from tests.workflow.conftest import Project

VIDEO, TEXT, SHARDS = "demo_test_001", "a striped ball bouncing", 2
SPACE = {"dataset": "demo", "adapter": "words", "space": "words"}


@pytest.fixture
def video(finished: Project, tmp_path: Path) -> Path:
    return Path(shutil.copy(finished.folder / f"results/demo/world/videos/{VIDEO}.mp4", tmp_path))


def ground(*words: object) -> int:
    return main([str(word) for word in ("ground", *words, "--device", "cpu")])


def add_joint_space(project: Project) -> Path:
    """Add an untrained feature adapter and the index of its joint space, with the commands of the stages."""
    results = project.folder / "results/demo"
    model = project.folder / ADAPTER_MODEL.format(**SPACE)
    dims = {
        s: next(read_shard(results / f"features/{s}/0000-of-0002.parquet")).feature.shape[1] for s in ("rgb", "flow")
    }
    clip = next(read_shard(results / "features/clip/0000-of-0002.parquet")).feature.shape[1]
    joint = create_joint_embedding(dims, clip, AdapterTraining(width=16), seed=0)
    with torch.no_grad():
        joint.background.copy_(joint.text_projection.weight.mean(dim=1))
    save_weights(model, module_arrays(joint), Provenance("train_adapter", {}, "c0de"), {"joint": joint.init_args})
    for stream in dims:
        for shard in list_shard_names(SHARDS):
            features = results / f"features/{stream}/{shard}.parquet"
            out = project.folder / ADAPTED_FEATURES.format(**SPACE, stream=stream, shard=shard)
            words = ("--features", features, "--adapter", model, "--out", out, "--set", f"stream={stream}")
            assert main([str(word) for word in ("adapt_features", *words, "--device", "cpu")]) == 0
    index = project.folder / INDEX.format(**SPACE)
    words = ("--features", results / "features", "--shards", SHARDS, "--out", index, "--adapter", model)
    more = (
        "--adapted-features",
        model.parent / "features",
        "--set",
        "vlp_stream=clip",
        "--set",
        'cbp_streams=["rgb","flow"]',
    )
    assert main([str(word) for word in ("index", *words, *more)]) == 0
    return results


def input_roles(path: Path) -> set[str]:
    return set(json.loads(path.read_text())["external_data"]["provenance"]["inputs"])


@pytest.mark.parametrize("space", ["clip", "words"])
def test_a_video_has_the_same_moments_alone_and_in_its_dataset(
    tiny: Project, video: Path, tmp_path: Path, space: str
) -> None:
    results = add_joint_space(tiny)

    def find(*words: object) -> list[Detection]:
        assert ground(*words, "--space", space, "--top", 1000, "--out", tmp_path / "moments.json") == 0
        return [d for d in read_detections(tmp_path / "moments.json") if d.video_id == VIDEO]

    alone = find(video, TEXT, "--model", results)
    assert alone
    joint = {"adapter", "adapter/rgb", "adapter/flow", "weights/demo_rgb", "weights/demo_flow"}
    networks = {"weights/demo_clip"} | (joint if space == "words" else set())
    assert input_roles(tmp_path / "moments.json") == {"index", "text", "video"} | networks
    assert alone == find(results, TEXT)
    assert {d.label for d in alone} == {TEXT}
    assert input_roles(tmp_path / "moments.json") == {"index", "text", "weights/demo_clip"} | (
        {"adapter"} if space == "words" else set()
    )


def test_the_moments_of_a_video_are_drawn_best_first(
    finished: Project, video: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long file name does not change the width."""
    monkeypatch.setenv("COLUMNS", "80")
    video = video.rename(video.with_name(f"{'x' * 100}.mp4"))
    assert ground(video, TEXT, "--model", finished.folder / "results/demo", "--top", 3) == 0
    head, axis, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("x" * 100)
    assert head.endswith(f" s: {TEXT}")
    assert axis.strip().startswith("|0 s")
    assert 1 <= len(rows) <= 3
    assert all(len(row) <= 80 for row in (axis, *rows))
    assert [row.split(".")[0] for row in rows] == ["1", "2", "3"][: len(rows)]


def test_the_best_moments_of_a_dataset_are_listed(finished: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert ground(finished.folder / "results/demo", TEXT, "--top", 4) == 0
    *rows, last = capsys.readouterr().out.splitlines()
    assert last == "4 moments, the best of 9 videos"
    scores = [float(row.split()[0]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(row.split()[-1].startswith("demo_") for row in rows)


def test_moments_are_cut_to_clips_and_written_to_a_file(finished: Project, video: Path, tmp_path: Path) -> None:
    words = ("--cut", tmp_path / "clips", "--out", tmp_path / "moments.json", "--top", 2)
    assert ground(video, TEXT, "--model", finished.folder / "results/demo", *words) == 0
    moments = read_detections(tmp_path / "moments.json")
    assert len(list((tmp_path / "clips").glob(f"{VIDEO}-0?-{TEXT}.mp4"))) == len(moments) <= 2
    provenance = json.loads((tmp_path / "moments.json").read_text())["external_data"]["provenance"]
    assert provenance["stage"] == "ground"
    assert provenance["spec"] == {"space": "clip", "top_k": 2, "torch_threads": 2}
    assert set(provenance["inputs"]) == {"index", "weights/demo_clip", "text", "video"}


def test_text_that_clip_cannot_read_is_logged(finished: Project, capsys: pytest.CaptureFixture[str]) -> None:
    results = finished.folder / "results/demo"
    assert ground(results, "very " * 100) == ground(results, "мяч") == 0
    logged = capsys.readouterr().err
    assert "CLIP reads 16 of its 102 tokens" in logged
    assert '"мяч": not in Latin letters' in logged


def test_wrong_arguments_are_refused(
    finished: Project, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = finished.folder / "results/demo"

    def refused(*words: object) -> str:
        assert ground(*words) in (2, 3)
        (line,) = capsys.readouterr().err.splitlines()
        return line

    (tmp_path / "broken.mp4").write_bytes(b"junk")
    assert "TEXT: is empty" in refused(results, " ")
    assert "--top 0: expected at least 1" in refused(results, TEXT, "--top", 0)
    assert "none.mp4: neither a video nor results" in refused(tmp_path / "none.mp4", TEXT)
    assert "no results of a dataset; expected results" in refused(tmp_path, TEXT)
    assert "no results of a dataset; expected results" in refused(video, TEXT, "--model", tmp_path)
    assert "--model: missing" in refused(video, TEXT)
    assert "--model and --cut are for one video" in refused(results, TEXT, "--cut", tmp_path / "clips")
    assert "--model and --cut are for one video" in refused(results, TEXT, "--model", results)
    assert "broken.mp4: not-a-video" in refused(tmp_path / "broken.mp4", TEXT, "--model", results)
    assert "is one of the inputs" in refused(video, TEXT, "--model", results, "--out", video)
    assert not (tmp_path / "clips").exists()


def test_a_space_without_an_index_is_refused_with_the_command_that_writes_it(
    tiny: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tiny.folder / "results/demo"
    assert ground(results, TEXT, "--space", "words") == 2
    line = capsys.readouterr().err
    assert f"--space words: {results} has no index of it (it has: clip)" in line
    assert "run `snakemake --cores 2 results/demo/index/words.arrow`" in line
    shutil.rmtree(results / "index")
    assert ground(results, TEXT) == 2
    assert "(it has: none yet)" in capsys.readouterr().err


def test_replaced_networks_are_refused(tiny: Project, video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tiny.folder / "results/weights"
    shutil.copy(weights / "demo_rgb.safetensors", weights / "demo_clip.safetensors")
    assert ground(video, TEXT, "--model", tiny.folder / "results/demo") == 2
    assert "demo_clip.safetensors: the network that the features were extracted with" in capsys.readouterr().err
