"""`clip-ae ground` on the finished tiny demo: a new video is read as the dataset's own were, in either space."""

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


def teach(project: Project) -> Path:
    """A joint space in which nothing was learnt, and an index of it, by the stages' own commands."""
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
    more = ("--adapted-features", model.parent / "features", "--set", 'streams=["rgb","flow"]')
    assert main([str(word) for word in ("index", *words, *more)]) == 0
    return results


@pytest.mark.parametrize("view", ["clip", "words"])
def test_a_video_has_the_moments_that_it_has_in_its_dataset(
    tiny: Project, video: Path, tmp_path: Path, view: str
) -> None:
    results = teach(tiny)

    def found(*words: object) -> list[Detection]:
        assert ground(*words, "--space", view, "--top", 1000, "--out", tmp_path / "found.json") == 0
        return [d for d in read_detections(tmp_path / "found.json") if d.video_id == VIDEO]

    alone = found(video, TEXT, "--model", results)
    assert alone
    assert alone == found(results, TEXT)
    assert {d.label for d in alone} == {TEXT}


def test_a_video_is_drawn_with_its_moments_the_best_first(
    finished: Project, video: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long its name is."""
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


def test_a_dataset_is_listed_with_its_best_moments(finished: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert ground(finished.folder / "results/demo", TEXT, "--top", 4) == 0
    *rows, last = capsys.readouterr().out.splitlines()
    assert last == "4 moments, the best of 9 videos"
    scores = [float(row.split()[0]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(row.split()[-1].startswith("demo_") for row in rows)


def test_moments_are_cut_out_and_written_down(finished: Project, video: Path, tmp_path: Path) -> None:
    words = ("--cut", tmp_path / "clips", "--out", tmp_path / "found.json", "--top", 2)
    assert ground(video, TEXT, "--model", finished.folder / "results/demo", *words) == 0
    found = read_detections(tmp_path / "found.json")
    assert len(list((tmp_path / "clips").glob(f"{VIDEO}-0?-{TEXT}.mp4"))) == len(found) <= 2
    inputs = json.loads((tmp_path / "found.json").read_text())["external_data"]["provenance"]["inputs"]
    assert set(inputs) == {"index", "clip_weights", "text", "video"}


def test_what_clip_does_not_read_is_told(finished: Project, capsys: pytest.CaptureFixture[str]) -> None:
    results = finished.folder / "results/demo"
    assert ground(results, "very " * 100) == ground(results, "мяч") == 0
    said = capsys.readouterr().err
    assert "CLIP reads 16 of its 102 tokens" in said
    assert '"мяч": not in Latin letters' in said


def test_mistakes_end_in_a_line(
    finished: Project, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = finished.folder / "results/demo"

    def said(*words: object) -> str:
        assert ground(*words) in (2, 3)
        (line,) = capsys.readouterr().err.splitlines()
        return line

    (tmp_path / "broken.mp4").write_bytes(b"junk")
    assert "TEXT: is empty" in said(results, " ")
    assert "--top 0: expected at least 1" in said(results, TEXT, "--top", 0)
    assert "none.mp4: neither a video nor results" in said(tmp_path / "none.mp4", TEXT)
    assert "no results of a dataset with a clip stream" in said(tmp_path, TEXT)
    assert "no results of a dataset with a clip stream" in said(video, TEXT, "--model", tmp_path)
    assert "--model: missing" in said(video, TEXT)
    assert "--model and --cut are for one video" in said(results, TEXT, "--cut", tmp_path / "clips")
    assert "--model and --cut are for one video" in said(results, TEXT, "--model", results)
    assert "broken.mp4: not-a-video" in said(tmp_path / "broken.mp4", TEXT, "--model", results)
    assert "is one of the inputs" in said(video, TEXT, "--model", results, "--out", video)
    assert not (tmp_path / "clips").exists()


def test_a_space_without_an_index_is_told_with_those_that_have_one_and_what_makes_it(
    tiny: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tiny.folder / "results/demo"
    assert ground(results, TEXT, "--space", "words") == 2
    line = capsys.readouterr().err
    assert f"--space words: not among the indices of {results} (clip)" in line
    assert "`snakemake --cores 2 results/demo/index/words.arrow` makes it" in line
    shutil.rmtree(results / "index")
    assert ground(results, TEXT) == 2
    assert "(none yet)" in capsys.readouterr().err


def test_networks_that_changed_since_are_refused(
    tiny: Project, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tiny.folder / "results/weights"
    shutil.copy(weights / "demo_rgb.safetensors", weights / "demo_clip.safetensors")
    assert ground(video, TEXT, "--model", tiny.folder / "results/demo") == 2
    assert "demo_clip.safetensors: the network that the features were extracted with" in capsys.readouterr().err
