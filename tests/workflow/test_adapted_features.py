"""A run on post-pre-trained features, from the tiny demo's videos to its score, its table and its page."""

import json
import shutil
from pathlib import Path

import pytest

from clip_ae.cli import main
from clip_ae.data.detections import read_detections
from tests.workflow.conftest import Project

OUTPUTS = tuple(f"results/demo_{name}" for name in ("map.json", "detections.json", "table.md", "report.html"))


@pytest.fixture(scope="module")
def adapted(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished tiny demo with two more runs on adapted features; the main run is the one with class names."""
    project = finished.copy_to(tmp_path_factory.mktemp("adapted") / "project")
    project.change("runs.weak", {"method": "stpn", "supervision": "weak"})
    project.change("runs.free", {"method": "stpn", "losses": {"sparsity": 0.05}, "feature_adapter": "free"})
    project.change("runs.named", {"method": "stpn", "losses": {"sparsity": 0.05}, "feature_adapter": "named"})
    project.change("feature_adapters.free", {"run": "stpn_sparse", "align_to": "prototypes"})
    project.change("feature_adapters.named", {"run": "weak", "align_to": "names"})
    project.change("datasets.demo.adapter_training", {"steps": 4, "batch_size": 2, "width": 8})
    project.change("datasets.demo.runs", ["stpn_sparse", "free", "named"])
    project.change("datasets.demo.main_run", "named")
    done = project.run(*OUTPUTS)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_every_result_states_that_class_names_were_used(adapted: Project) -> None:
    results = adapted.folder / "results"
    words = "post-pretrained adapter, uses class names"
    assert json.loads((results / "demo_map.json").read_text())["features"] == words
    assert f"adapter: {words}" in (results / "demo_report.html").read_text()
    table = (results / "demo_table.md").read_text()
    assert table.count(f"STPN, {words}") == 2
    assert table.count("STPN, post-pretrained adapter, aligned to prototypes") == 2
    assert "## Feature adapters" in table


def test_again_there_is_nothing_to_do_and_nothing_is_out_of_date(adapted: Project) -> None:
    assert adapted.planned(*OUTPUTS) == {}
    assert "0 out of date" in adapted.run("verify").stdout


def test_a_run_reads_the_shards_of_its_adapter(adapted: Project) -> None:
    shards = adapted.folder / "results/demo/adapters/named/features"
    assert sorted(path.parent.name for path in shards.rglob("*.parquet")) == ["flow", "flow", "rgb", "rgb"]


def test_another_adapter_seed_runs_only_what_reads_the_adapter(adapted: Project, tmp_path: Path) -> None:
    project = adapted.copy_to(tmp_path / "project")
    project.change("feature_adapters.named.seed", 7)
    assert project.planned("results/demo_map.json") == {
        "train_adapter": 1, "adapt_features": 4, "cluster": 2, "train": 2, "localize": 1, "evaluate": 1, "summarize": 1,
    }  # fmt: skip


def test_a_dataset_whose_runs_read_extracted_features_trains_no_adapter(finished: Project) -> None:
    planned = finished.planned("--forceall", "results/demo_map.json")
    assert not {"train_adapter", "adapt_features"} & planned.keys()


def test_a_new_video_is_processed_like_those_of_the_run(adapted: Project, tmp_path: Path) -> None:
    (source,) = (adapted.folder / "results/demo/world/videos").rglob("demo_test_001.*")
    video = Path(shutil.copy(source, tmp_path / source.name))
    model = adapted.folder / "results/demo/runs/named/seed-0"
    words = ["apply", video, "--model", model, "--device", "cpu", "--out", tmp_path / "found.json"]
    assert main([str(word) for word in words]) == 0
    expected = [d for d in read_detections(model / "detections.json") if d.video_id == "demo_test_001"]
    assert expected
    assert read_detections(tmp_path / "found.json") == expected


def test_episodes_are_drawn_of_held_out_classes(adapted: Project, tmp_path: Path) -> None:
    project = adapted.copy_to(tmp_path / "project")
    database = json.loads((project.folder / "results/demo/world/annotations.json").read_text())["database"]
    shown = {
        subset: {a["label"] for v in database.values() if v["subset"] == subset for a in v["annotations"]}
        for subset in ("training", "validation")
    }
    held_out = sorted(shown["training"] & shown["validation"])[:2]
    project.change("feature_adapters.base", {"run": "weak", "align_to": "names", "held_out_classes": held_out})
    project.change("datasets.demo.fewshot", {"feature_adapters": ["base"], "ways": 2, "shots": [1], "episodes": 3})
    target = "results/demo_fewshot.json"
    assert project.planned(target) == {"train_adapter": 1, "score_fewshot": 1}
    done = project.run(target)
    assert done.returncode == 0, done.stdout + done.stderr
    table = (project.folder / "results/demo_fewshot.md").read_text()
    assert "uses class names" in table
    assert all(name in table for name in held_out)
    assert "0 out of date" in project.run("verify").stdout
    project.change("datasets.demo.fewshot.episodes", 4)
    assert project.planned(target) == {"score_fewshot": 1}


def test_an_impossible_adapter_is_refused_before_any_job(adapted: Project, tmp_path: Path) -> None:
    project = adapted.copy_to(tmp_path / "project")

    def error_of(path: str, value: object) -> str:
        before = project.config
        project.change(path, value)
        done = project.run("-n", "results/demo_map.json")
        assert done.returncode == 2, done.stdout + done.stderr
        project.config = before
        return done.stderr

    assert "runs.named.feature_adapter: 'nmed' is not defined; did you mean" in error_of(
        "runs.named.feature_adapter", "nmed"
    )
    assert "`names` need a weak run" in error_of("feature_adapters.free.align_to", "names")
    assert "`prototypes` are for clusters" in error_of("feature_adapters.named.align_to", "prototypes")
    assert "'ugt' is not defined" in error_of("feature_adapters.named.run", "ugt")
    assert "reads adapted features itself" in error_of("feature_adapters.named.run", "free")
    assert "is an oracle" in error_of("feature_adapters.named.run", "oracle")
    encoders = {k: v for k, v in project.config["datasets"]["demo"]["streams"].items() if k != "clip"}
    assert "clip" in error_of("datasets.demo.streams", encoders)
