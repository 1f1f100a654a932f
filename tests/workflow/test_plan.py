"""`clip-ae plan`: what a target will cost, before anything starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.training import Training
from clip_ae.workflow import costs
from tests.builders import shipped_config
from tests.workflow.conftest import Project, bare_environment


def plan(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, in the project's folder, as a person would."""
    environment = {**bare_environment(), "PYTHONPATH": str(project.folder)}
    command = [sys.executable, "-m", "clip_ae", "plan", *words]
    return subprocess.run(
        command, check=False, cwd=project.folder, capture_output=True, text=True, timeout=120, env=environment
    )


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    assert done.returncode == 0, done.stderr
    parts = [line.split("  ") for line in done.stdout.splitlines()[1:-1]]
    return {row[0].strip(): [cell.strip() for cell in row[1:] if cell.strip()] for row in parts}


def test_a_finished_target_costs_nothing(finished: Project) -> None:
    assert plan(finished, "results/demo_map.json").stdout == "nothing to do\n"


def test_what_runs_again_is_counted_by_earlier_jobs(tiny: Project) -> None:
    tiny.change("runs.clip_ae.clustering", "kmeans")
    found = rows(plan(tiny, "results/demo_map.json"))
    assert {kind: row[0] for kind, row in found.items()} == {
        "cluster clip_ae": "2", "train clip_ae": "2", "localize clip_ae": "1", "evaluate clip_ae": "1",
        "summarize": "1",
    }  # fmt: skip
    assert {row[-1] for row in found.values()} == {"earlier jobs here"}


@pytest.fixture
def thumos(tmp_path: Path) -> Project:
    """Ten hours of video, by the annotations' word."""
    project = Project.create(tmp_path / "project")
    videos = project.folder / "data/thumos14/videos"
    videos.mkdir(parents=True)
    database = {}
    for n in range(100):
        (videos / f"v{n}.mp4").touch()
        subset = "test" if n % 2 else "validation"
        database[f"v{n}"] = {"subset": subset, "duration": 360.0, "annotations": [{"label": "x", "segment": [0, 1]}]}
    (project.folder / "data/thumos14/annotations.json").write_text(json.dumps({"database": database}))
    return project


def test_what_never_ran_is_counted_by_measured_rates(thumos: Project) -> None:
    done = plan(thumos, "results/thumos14_map.json", "--cores", "8")
    found = rows(done)
    snippets = 36_000 / 0.64
    jobs, hours, gigabytes, by = found["extract rgb"]
    assert (jobs, by) == ("16", "measured rates")
    assert float(hours) == pytest.approx(
        (snippets * costs.I3D_SECONDS["fp32"] + 16 * costs.STARTUP_SECONDS) / 3600, abs=0.01
    )
    assert float(gigabytes) == pytest.approx(snippets * 1024 * 2 / 1e9, abs=0.01)
    jobs, hours, *_ = found["train clip_ae"]
    assert jobs == "15"
    assert float(hours) == pytest.approx(15 * (6000 * 64 + costs.STARTUP_SECONDS) / 3600, abs=0.01)
    assert list(found)[:2] == ["weights", "probe"]
    assert done.stdout.splitlines()[-1].startswith("122 jobs, ")
    assert "with 4 at a time" in done.stdout.splitlines()[-1]
    assert not (thumos.folder / "results").exists()


def test_an_index_takes_the_room_of_clips_features(thumos: Project) -> None:
    found = rows(plan(thumos, "results/thumos14/index/clip.arrow"))
    assert found["index"][0] == "1"
    assert float(found["index"][2]) == pytest.approx(36_000 / 0.64 * 512 * 2 / 1e9, abs=0.01)
    assert found["extract clip"][2] == found["index"][2]


def test_without_durations_sizes_tell(thumos: Project) -> None:
    thumos.change("datasets.thumos14.annotations", "sizes.json")
    database = {
        f"v{n}": {"subset": "test" if n % 2 else "validation", "annotations": [{"label": "x", "segment": [0, 1]}]}
        for n in range(100)
    }
    (thumos.folder / "sizes.json").write_text(json.dumps({"database": database}))
    for n in range(100):
        os.truncate(thumos.folder / f"data/thumos14/videos/v{n}.mp4", 36_000_000)
    assert rows(plan(thumos, "results/thumos14_map.json"))["extract audio"][2] == f"{36_000 / 0.64 * 256 / 1e9:.2f}"


def test_mistakes_end_in_snakemakes_line_or_ours(thumos: Project) -> None:
    done = plan(thumos, "results/activitynet12_map.json")
    assert done.returncode == 2
    assert "data/activitynet12/videos: no such folder" in done.stderr
    done = plan(thumos, "results/nonsense.json")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_step_costs_what_was_measured_at_the_papers_size_and_less_below() -> None:
    assert costs.estimate_step_seconds("clip_ae", costs.PAPER_TRAINING) == costs.STEP_SECONDS["clip_ae"]
    assert costs.estimate_step_seconds("ugct", Training(snippets=375)) < costs.STEP_SECONDS["ugct"] / 2
    assert costs.estimate_step_seconds("tscn", costs.PAPER_TRAINING) == costs.STEP_SECONDS["ugct"]


def test_every_stream_of_the_published_datasets_has_a_rate() -> None:
    config = load_config(shipped_config())
    for name in ("thumos14", "activitynet12"):
        dataset = config.datasets[name]
        assert all(costs.estimate_snippet_seconds(dataset, stream) > 0 for stream in dataset.stream_names)
