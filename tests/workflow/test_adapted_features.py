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
def taught(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished tiny demo with two runs more: one taught without names, and, as the headline, one with them."""
    folder = tmp_path_factory.mktemp("taught") / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    project = Project(folder)
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


def test_everything_says_that_class_names_were_used(taught: Project) -> None:
    results = taught.folder / "results"
    words = "post-pretrained adapter, uses class names"
    assert json.loads((results / "demo_map.json").read_text())["features"] == words
    assert f"features {words}" in (results / "demo_report.html").read_text()
    table = (results / "demo_table.md").read_text()
    assert table.count(f"STPN, {words}") == 2
    assert table.count("STPN, post-pretrained adapter, aligned to prototypes") == 2
    assert "## Feature adapters" in table


def test_again_there_is_nothing_to_do_and_nothing_is_out_of_date(taught: Project) -> None:
    assert taught.planned(*OUTPUTS) == {}
    assert "0 out of date" in taught.run("verify").stdout


def test_a_runs_inputs_are_the_shards_of_its_recipe(taught: Project) -> None:
    shards = taught.folder / "results/demo/adapters/named/features"
    assert sorted(path.parent.name for path in shards.rglob("*.parquet")) == ["flow", "flow", "rgb", "rgb"]


def test_another_seed_teaches_again_what_reads_it_and_no_more(taught: Project, tmp_path: Path) -> None:
    project = Project(Path(shutil.copytree(taught.folder, tmp_path / "project", symlinks=True)))
    project.change("feature_adapters.named.seed", 7)
    assert project.planned("results/demo_map.json") == {
        "train_adapter": 1, "adapt_features": 4, "cluster": 2, "train": 2, "localize": 1, "evaluate": 1, "summarize": 1,
    }  # fmt: skip


def test_a_dataset_whose_runs_read_extracted_features_teaches_nothing(finished: Project) -> None:
    planned = finished.planned("--forceall", "results/demo_map.json")
    assert not {"train_adapter", "adapt_features"} & planned.keys()


def test_a_new_video_is_treated_as_the_runs_own_were(taught: Project, tmp_path: Path) -> None:
    (source,) = (taught.folder / "results/demo/world/videos").rglob("demo_test_001.*")
    video = Path(shutil.copy(source, tmp_path / source.name))
    model = taught.folder / "results/demo/runs/named/seed-0"
    words = ["apply", video, "--model", model, "--device", "cpu", "--out", tmp_path / "found.json"]
    assert main([str(word) for word in words]) == 0
    expected = [d for d in read_detections(model / "detections.json") if d.video_id == "demo_test_001"]
    assert expected
    assert read_detections(tmp_path / "found.json") == expected


def test_episodes_are_drawn_of_classes_that_were_left_out(taught: Project, tmp_path: Path) -> None:
    project = Project(Path(shutil.copytree(taught.folder, tmp_path / "project", symlinks=True)))
    database = json.loads((project.folder / "results/demo/world/annotations.json").read_text())["database"]
    shown = {
        subset: {a["label"] for v in database.values() if v["subset"] == subset for a in v["annotations"]}
        for subset in ("training", "validation")
    }
    left_out = sorted(shown["training"] & shown["validation"])[:2]
    project.change("feature_adapters.base", {"run": "weak", "align_to": "names", "held_out_classes": left_out})
    project.change("datasets.demo.fewshot", {"feature_adapters": ["base"], "ways": 2, "shots": [1], "episodes": 3})
    target = "results/demo_fewshot.json"
    assert project.planned(target) == {"train_adapter": 1, "score_fewshot": 1}
    done = project.run(target)
    assert done.returncode == 0, done.stdout + done.stderr
    table = (project.folder / "results/demo_fewshot.md").read_text()
    assert "uses class names" in table
    assert all(name in table for name in left_out)
    assert "0 out of date" in project.run("verify").stdout
    project.change("datasets.demo.fewshot.episodes", 4)
    assert project.planned(target) == {"score_fewshot": 1}


def test_what_a_recipe_lacks_is_said_before_any_job(taught: Project, tmp_path: Path) -> None:
    project = Project(Path(shutil.copytree(taught.folder, tmp_path / "project", symlinks=True)))

    def said(path: str, value: object) -> str:
        before = project.config
        project.change(path, value)
        done = project.run("-n", "results/demo_map.json")
        assert done.returncode == 2, done.stdout + done.stderr
        project.config = before
        return done.stderr

    assert "runs.named.feature_adapter: 'nmed' is not defined; did you mean" in said(
        "runs.named.feature_adapter", "nmed"
    )
    assert "`names` need a weak run" in said("feature_adapters.free.align_to", "names")
    assert "`prototypes` are for clusters" in said("feature_adapters.named.align_to", "prototypes")
    assert "'ugt' is not defined" in said("feature_adapters.named.run", "ugt")
    assert "reads adapted features itself" in said("feature_adapters.named.run", "free")
    assert "is an oracle" in said("feature_adapters.named.run", "oracle")
    encoders = {k: v for k, v in project.config["datasets"]["demo"]["encoders"].items() if k != "clip"}
    assert "clip" in said("datasets.demo.encoders", encoders)
