"""`clip-ae explain`: how a file was produced, and all jobs before it."""

import os
import shutil
from pathlib import Path

import pytest

from clip_ae.cli import main
from tests.workflow.conftest import Project


def explain(capsys: pytest.CaptureFixture[str], file: Path, root: Path) -> list[str]:
    assert main(["explain", str(file), "--root", str(root)]) == 0
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_main_result_is_explained_back_to_the_raw_videos(
    finished: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = explain(capsys, finished.folder / "results/demo_map.json", finished.folder)
    chain = lines[lines.index("jobs before it, in the order of the workflow:") + 1 : -2]
    stages = [line.split()[0] for line in chain]
    order = ["pretrain", "weights", "probe", "extract", "catalog", "cluster", "train", "localize", "evaluate"]
    assert list(dict.fromkeys(stages)) == order
    extracts = [line.split()[1:3] for line in chain if line.split()[0] == "extract"]
    assert extracts == [["2", "jobs"]] * 4
    assert any("runs/clip_ae/seed-*/round-*/model.safetensors" in line for line in chain)
    (probe,) = (line for line in chain if line.split()[0] == "probe")
    assert probe.endswith("files: paths and sizes of the dataset's files")
    assert "torch 2" in lines[-1]


def test_a_model_is_explained_by_its_spec_and_its_own_inputs_only(
    finished: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished.folder / "results/demo/runs/clip_ae/seed-0/round-0"
    lines = explain(capsys, folder / "model.safetensors", finished.folder)
    assert any(line.endswith("training.steps = 6") for line in lines)
    assert not any(line.split()[:1] in (["localize"], ["evaluate"]) for line in lines)


def test_the_other_outputs_are_found_from_any_folder(
    finished: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explain", os.path.relpath(finished.folder / "results/demo_map.json")]) == 0
    assert "no output here has this id" not in capsys.readouterr().out


def test_a_missing_input_is_reported(finished: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results").mkdir()
    shutil.copy(finished.folder / "results/demo_map.json", tmp_path / "results")
    lines = explain(capsys, tmp_path / "results/demo_map.json", tmp_path)
    assert any("no output here has this id: it is missing or was replaced" in line for line in lines)
    assert not any("jobs before it" in line for line in lines)


def test_files_without_provenance_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("{}")
    assert main(["explain", str(tmp_path / "none.json")]) == 2
    assert main(["explain", str(tmp_path / "x.json")]) == 2
    assert "has no provenance" in capsys.readouterr().err
