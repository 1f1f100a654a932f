"""`clip-ae apply` on the finished tiny demo: a new video gets the same detections as in the run."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import av
import pytest

from clip_ae.cli import main
from clip_ae.data.detections import read_detections
from tests.workflow.conftest import Project

VIDEO = "demo_test_001"


@pytest.fixture
def video(finished: Project, tmp_path: Path) -> Path:
    (source,) = (finished.folder / "results/demo/world/videos").rglob(f"{VIDEO}.*")
    return Path(shutil.copy(source, tmp_path / source.name))


def apply(finished: Project, video: Path, *words: object) -> int:
    model = finished.folder / "results/demo"
    return main([str(word) for word in ("apply", video, "--model", model, "--device", "cpu", *words)])


def test_detections_equal_those_of_the_run(finished: Project, video: Path, tmp_path: Path) -> None:
    assert apply(finished, video, "--out", tmp_path / "detections.json") == 0
    run = finished.folder / "results/demo/runs/clip_ae/seed-0/detections.json"
    expected = [d for d in read_detections(run) if d.video_id == VIDEO]
    assert expected
    assert read_detections(tmp_path / "detections.json") == expected
    provenance = json.loads((tmp_path / "detections.json").read_text())["external_data"]["provenance"]
    assert provenance["stage"] == "apply"
    networks = {f"weights/demo_{stream}" for stream in ("rgb", "flow", "clip", "audio")}
    assert set(provenance["inputs"]) == {"model", "video"} | networks


def test_chapters_and_clips_do_not_overlap(
    finished: Project, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(finished, video, "--out", tmp_path / "chapters.vtt", "--cut", tmp_path / "clips", "--top", 3) == 0
    printed = capsys.readouterr().out
    assert f"{VIDEO}, " in printed
    assert printed.count("cluster-") == 3
    text = (tmp_path / "chapters.vtt").read_text()
    cues = [line.split(" --> ") for line in text.splitlines() if "-->" in line]
    assert text.startswith("WEBVTT\n")
    assert all(first[1] <= second[0] for first, second in pairwise(cues))
    clips = sorted((tmp_path / "clips").iterdir())
    assert len(clips) == len(cues)
    for clip in clips:
        with av.open(str(clip)) as file:
            assert next(file.decode(video=0)).width == 160


def test_of_several_runs_one_must_be_named(finished: Project, video: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results/demo"
    shutil.copytree(finished.folder / "results/demo/runs", copy / "runs")
    shutil.copytree(copy / "runs/clip_ae", copy / "runs/other")
    assert main(["apply", str(video), "--model", str(copy)]) == 2


def test_wrong_arguments_are_refused(
    finished: Project, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*words: object, model: Path | None = None, of: Path = video) -> str:
        model_dir = model or finished.folder / "results/demo"
        assert main([str(word) for word in ("apply", of, "--model", model_dir, *words)]) in (2, 3)
        return capsys.readouterr().err

    (tmp_path / "broken.mp4").write_bytes(b"junk")
    assert "no such video" in refused(of=tmp_path / "none.mp4")
    assert "broken.mp4: not-a-video" in refused(of=tmp_path / "broken.mp4")
    assert "ends in .json or .vtt" in refused("--out", "x.srt")
    assert "at least 1" in refused("--top", 0)
    assert "no finished run; give results/{dataset}" in refused(model=tmp_path)


def test_files_of_earlier_settings_are_not_used(tiny: Project, video: Path, tmp_path: Path) -> None:
    """Earlier settings may leave rounds after the last one, and shards of another number and encoder."""
    seed = tiny.folder / "results/demo/runs/clip_ae/seed-0"
    shutil.copytree(seed / "round-0", seed / "round-7")
    rgb = tiny.folder / "results/demo/features/rgb"
    shutil.copy(tiny.folder / "results/demo/features/flow/0000-of-0002.parquet", rgb / "0000-of-0001.parquet")
    assert apply(tiny, video, "--out", tmp_path / "detections.json") == 0
    expected = [d for d in read_detections(seed / "detections.json") if d.video_id == VIDEO]
    assert read_detections(tmp_path / "detections.json") == expected
    shutil.rmtree(seed / "round-1")
    assert apply(tiny, video) == 2


def test_replaced_weights_are_refused(tiny: Project, video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tiny.folder / "results/weights"
    shutil.copy(weights / "demo_flow.safetensors", weights / "demo_rgb.safetensors")
    assert apply(tiny, video) == 2
    assert (
        "demo_rgb.safetensors: the network that the features were extracted with is not there any more"
        in capsys.readouterr().err
    )
