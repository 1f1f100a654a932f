"""A run on features of tuned networks: the chain of jobs that it needs."""

import re
import shutil
from pathlib import Path

import pytest

from clip_ae.cli import main
from clip_ae.data.detections import read_detections
from tests.workflow.conftest import Project, make_tiny


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_tiny(tmp_path / "project")
    project.change("datasets.demo.runs", ["ugct_tuned"])
    project.change("datasets.demo.main_run", "ugct_tuned")
    return project


def test_networks_are_tuned_features_extracted_again_and_an_adapter_trained(project: Project) -> None:
    jobs = project.planned("results/demo_map.json")
    # Of two streams and two shards.
    assert jobs["tune_encoder"] == 2
    assert jobs["extract_tuned"] == 4
    assert (jobs["train_adapter"], jobs["adapt_features"]) == (1, 4)
    assert jobs["extract"] == 8
    # The run that separates actions from background, and the run on adapted features.
    assert jobs["train"] == 2 * project.config["datasets"]["demo"]["rounds"]


def test_each_job_reads_the_outputs_of_the_one_before_it(project: Project) -> None:
    done = project.run("-n", "-p", "results/demo_map.json")
    assert done.returncode == 0, done.stdout + done.stderr
    commands = re.findall(r"python -m clip_ae (\w+) (.*)", done.stdout + done.stderr)
    adapter_dir = "results/demo/adapters/tuned"
    tuned = [words for stage, words in commands if stage == "extract" and f"{adapter_dir}/encoded/rgb" in words]
    assert len(tuned) == 2
    assert all(f"--weights {adapter_dir}/weights/rgb.safetensors --out" in words for words in tuned)
    assert all(f"--failures {adapter_dir}/failures/rgb/" in words for words in tuned)
    (train_adapter,) = [words for stage, words in commands if stage == "train_adapter"]
    assert f"--tuned-features={adapter_dir}/encoded " in train_adapter
    adapted = [words for stage, words in commands if stage == "adapt_features"]
    assert all(f"--features {adapter_dir}/encoded/" in words for words in adapted)
    tune = [words for stage, words in commands if stage == "tune_encoder"]
    assert all("--localizer results/demo/runs/ugct/seed-0/round-1/model.safetensors" in words for words in tune)
    assert len([words for stage, words in commands if stage == "catalog" and adapter_dir in words]) == 0


def test_an_adapter_of_mode_adapter_tunes_nothing(project: Project) -> None:
    project.change("feature_adapters.tuned.mode", "adapter")
    jobs = project.planned("results/demo_map.json")
    assert (jobs["train_adapter"], jobs["adapt_features"]) == (1, 4)
    assert not {"tune_encoder", "extract_tuned"} & jobs.keys()


def test_class_names_need_the_text_tower(project: Project) -> None:
    project.change("datasets.demo.runs", ["ugct_tuned_named"])
    project.change("datasets.demo.main_run", "ugct_tuned_named")
    done = project.run("-n", "-p", "results/demo_map.json")
    commands = re.findall(r"python -m clip_ae tune_encoder (.*)", done.stdout + done.stderr)
    assert len(commands) == 2
    assert all("--clip-weights results/weights/demo_clip.safetensors" in words for words in commands)


def test_a_new_video_is_read_by_the_networks_that_were_tuned(finished: Project, tmp_path: Path) -> None:
    project = finished.copy_to(tmp_path / "project")
    project.change("runs.after", {"method": "stpn", "losses": {"sparsity": 0.05}, "feature_adapter": "anew"})
    project.change("feature_adapters.anew", {"mode": "encoder", "run": "stpn_sparse", "align_to": "prototypes"})
    tuning = {"blocks": 1, "steps": 2, "batch_size": 2}
    project.change("datasets.demo.adapter_training", {"steps": 4, "batch_size": 2, "width": 8, "tuning": tuning})
    model = project.folder / "results/demo/runs/after/seed-0"
    done = project.run("results/demo/runs/after/seed-0/map.json")
    assert done.returncode == 0, done.stdout + done.stderr
    (source,) = (project.folder / "results/demo/world/videos").rglob("demo_test_001.*")
    video = Path(shutil.copy(source, tmp_path / source.name))
    words = ["apply", video, "--model", model, "--device", "cpu", "--out", tmp_path / "found.json"]
    assert main([str(word) for word in words]) == 0
    expected = [d for d in read_detections(model / "detections.json") if d.video_id == "demo_test_001"]
    assert expected
    assert read_detections(tmp_path / "found.json") == expected
    # Features of the network before tuning would differ, so `apply` refuses instead of using it.
    weights_dir = project.folder / "results/demo/adapters/anew/weights"
    (weights_dir / "rgb.safetensors").rename(weights_dir / "gone")
    assert main([str(word) for word in words]) == 2
