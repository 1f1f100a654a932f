"""results/{dataset}_repro.json: enough to repeat a run, and to find the outputs that differ from it."""

import json
from pathlib import Path

import pytest

from clip_ae.cli import main
from tests.workflow.conftest import Project

FROZEN = "results/demo_repro.json"


@pytest.fixture(scope="module")
def frozen(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen run of a copy: the finished project is shared by all tests."""
    project = finished.copy_to(tmp_path_factory.mktemp("frozen") / "project")
    # Another run of the dataset, with the same first clusters.
    done = project.run(FROZEN, "results/demo/runs/stpn_sparse/seed-0/round-0/model.safetensors")
    assert done.returncode == 0, done.stdout + done.stderr
    return project.folder / FROZEN


def compare(capsys: pytest.CaptureFixture[str], frozen: Path, project: Project) -> tuple[int, list[str]]:
    code = main(["repro", str(frozen), "--root", str(project.folder)])
    return code, capsys.readouterr().out.splitlines()


def test_the_same_run_has_the_same_bytes(frozen: Path, finished: Project, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = json.loads(frozen.read_text())["outputs"]
    for part in (
        "pretrained/demo_rgb",
        "weights/demo_rgb",
        "features/flow",
        "round-1/model",
        "clip_ae/seed-0/map.json",
    ):
        assert any(part in path for path in outputs), part
    assert not any("stpn_sparse" in path for path in outputs)
    assert compare(capsys, frozen, finished) == (0, [f"{len(outputs)} outputs, 0 different or missing"])


def test_of_runs_with_equal_outputs_explain_names_the_files_own_run(
    frozen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = frozen.parents[1]
    model = "results/demo/runs/{}/seed-0/round-0/model.safetensors"
    for run, other in (("stpn_sparse", "clip_ae"), ("clip_ae", "stpn_sparse")):
        assert main(["explain", str(root / model.format(run)), "--root", str(root)]) == 0
        printed = capsys.readouterr().out
        assert f"results/demo/runs/{run}/seed-0/round-0/labels.parquet" in printed
        assert other not in printed


def test_with_its_config_no_job_runs_again(frozen: Path, tiny: Project) -> None:
    assert main(["repro", str(frozen), "--config", str(tiny.folder / "config.yaml")]) == 0
    assert list(tiny.config["datasets"]) == ["demo"]
    assert tiny.planned("results/demo_map.json") == {}


def test_differences_are_listed_in_the_order_of_the_workflow(
    frozen: Path, tiny: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.change("datasets.demo.evaluation.chance_permutations", 3)
    assert tiny.run("results/demo_map.json").returncode == 0
    (tiny.folder / "results/demo/videos.parquet").unlink()
    code, lines = compare(capsys, frozen, tiny)
    assert code == 1
    assert lines == [
        "results/demo/videos.parquet: missing",
        "results/demo/runs/clip_ae/seed-0/map.json: another spec (evaluation)",
        "results/demo_map.json: other inputs: clip_ae/seed-0",
        f"{len(json.loads(frozen.read_text())['outputs'])} outputs, 3 different or missing",
    ]


def test_other_bytes_with_the_same_provenance_are_reported_with_both_machines(
    frozen: Path, tiny: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(frozen.read_text())
    content["machine"]["processor"] = "an abacus"
    frozen = tiny.folder / "frozen.json"
    frozen.write_text(json.dumps(content))
    table = tiny.folder / "results/demo/runs/clip_ae/seed-0/detections.json"
    table.write_text(table.read_text() + "\n")
    code, lines = compare(capsys, frozen, tiny)
    assert code == 1
    assert "detections.json: other bytes, same provenance" in lines[0]
    assert "processor an abacus" in lines[1]


def test_a_file_that_is_no_frozen_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in (
        {},
        {"outputs": [1]},
        {"outputs": {"a": {}}, "machine": {}, "provenance": {"spec": {"config": {}}}},
    ):
        (tmp_path / "x.json").write_text(json.dumps(content))
        assert main(["repro", str(tmp_path / "x.json")]) == 2
        assert "no frozen run; expected results/{dataset}_repro.json" in capsys.readouterr().err
