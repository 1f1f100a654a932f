"""`clip-ae plan`: the estimated cost of a target."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.training import Training
from clip_ae.core.errors import UserError
from clip_ae.core.machine_rates import MachineRates
from clip_ae.encoders.matrix_rates import measure_rates
from clip_ae.tools.plan import format_time
from clip_ae.workflow import costs
from clip_ae.workflow.job_summary import list_outputs
from tests.builders import shipped_config
from tests.workflow.conftest import Project, bare_environment


def plan(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, in the project's folder."""
    environment = {**bare_environment(), "PYTHONPATH": str(project.folder)}
    command = [sys.executable, "-m", "clip_ae", "plan", *words]
    return subprocess.run(
        command, check=False, cwd=project.folder, capture_output=True, text=True, timeout=120, env=environment
    )


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines()[1:-1] if not line.startswith(("measured", "to download", "  "))]
    parts = [line.split("  ") for line in lines]
    return {row[0].strip(): [cell.strip() for cell in row[1:] if cell.strip()] for row in parts}


def test_a_finished_target_costs_nothing(finished: Project) -> None:
    assert plan(finished, "results/demo_map.json").stdout == "nothing to do\n"


def test_jobs_that_run_again_are_estimated_from_earlier_jobs(tiny: Project) -> None:
    tiny.change("runs.clip_ae.clustering", "kmeans")
    table = rows(plan(tiny, "results/demo_map.json"))
    assert {kind: row[0] for kind, row in table.items()} == {
        "cluster clip_ae": "2", "train clip_ae": "2", "localize clip_ae": "1", "evaluate clip_ae": "1",
        "summarize": "1",
    }  # fmt: skip
    assert {row[-1] for row in table.values()} == {"earlier jobs here"}


@pytest.fixture
def thumos(tmp_path: Path) -> Project:
    """A project with ten hours of video, according to the annotations."""
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


def test_jobs_that_never_ran_are_estimated_from_measured_rates(thumos: Project) -> None:
    done = plan(thumos, "results/thumos14_map.json", "--cores", "8")
    table = rows(done)
    snippets = 36_000 / 0.64
    jobs, time, gigabytes, source = table["extract rgb"]
    assert (jobs, source) == ("16", "measured rates")
    assert time.endswith((" min", " hours", " days"))
    assert float(gigabytes) == pytest.approx(snippets * 1024 * 2 / 1e9, abs=0.01)
    jobs, time, *_ = table["train clip_ae"]
    assert jobs == "15"
    assert time.endswith(" days")
    config = load_config(shipped_config())
    names = {name for encoder in config.datasets["thumos14"].encoders.values() for name in encoder.weights_names}
    assert float(table["weights"][2]) == pytest.approx(sum(config.weights[n].size_mb for n in names) / 1000, abs=0.01)
    assert list(table)[:2] == ["weights", "probe"]
    assert re.search(
        r"^measured rates: .* with 2 threads, \d+ GFLOP/s in fp32, \d+ in bf16$", done.stdout, re.MULTILINE
    )
    total = sum(config.weights[name].size_mb or 0 for name in names)
    assert f"to download: {total} MB; without a network, get the files and set weights.NAME.source" in done.stdout
    for name in names:
        assert f"  weights.{name}: {config.weights[name].source}, {config.weights[name].size_mb} MB\n" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("122 jobs, ")
    assert "with 4 at a time" in done.stdout.splitlines()[-1]
    assert not (thumos.folder / "results").exists()


def test_an_index_is_as_large_as_the_clip_features(thumos: Project) -> None:
    table = rows(plan(thumos, "results/thumos14/index/clip.arrow"))
    assert table["index"][0] == "1"
    assert float(table["index"][2]) == pytest.approx(36_000 / 0.64 * 512 * 2 / 1e9, abs=0.01)
    assert table["extract clip"][2] == table["index"][2]


def test_without_durations_file_sizes_are_used(thumos: Project) -> None:
    thumos.change("datasets.thumos14.annotations", "sizes.json")
    database = {
        f"v{n}": {"subset": "test" if n % 2 else "validation", "annotations": [{"label": "x", "segment": [0, 1]}]}
        for n in range(100)
    }
    (thumos.folder / "sizes.json").write_text(json.dumps({"database": database}))
    for n in range(100):
        os.truncate(thumos.folder / f"data/thumos14/videos/v{n}.mp4", 36_000_000)
    assert rows(plan(thumos, "results/thumos14_map.json"))["extract audio"][2] == f"{36_000 / 0.64 * 256 / 1e9:.2f}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2, "1 min"), (360, "6 min"), (7199, "120 min"), (12_240, "3.4 hours"), (181_440, "2.1 days")],
)
def test_times_have_the_unit_that_suits_them(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


def test_without_snakemake_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "python: No module named snakemake\n")
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: failed)
    with pytest.raises(UserError, match=r"install it with `pip install '\.\[workflow\]'` in the checkout of clip-ae"):
        list_outputs(["results/demo_map.json"])


def test_wrong_targets_end_in_one_line(thumos: Project) -> None:
    done = plan(thumos, "results/activitynet12_map.json")
    assert done.returncode == 2
    assert "data/activitynet12/videos: no such folder" in done.stderr
    done = plan(thumos, "results/nonsense.json")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


RATES = MachineRates(fp32=costs.REFERENCE_GFLOPS, bf16=2 * costs.REFERENCE_GFLOPS)
SLOW = MachineRates(fp32=costs.REFERENCE_GFLOPS / 2, bf16=costs.REFERENCE_GFLOPS / 2)


def test_a_training_step_has_the_measured_time_at_the_papers_size_and_less_below() -> None:
    assert costs.estimate_step_seconds("clip_ae", costs.PAPER_TRAINING, RATES) == costs.STEP_SECONDS["clip_ae"]
    assert costs.estimate_step_seconds("ugct", Training(snippets=375), RATES) < costs.STEP_SECONDS["ugct"] / 2
    assert costs.estimate_step_seconds("tscn", costs.PAPER_TRAINING, RATES) == costs.STEP_SECONDS["ugct"]
    assert costs.estimate_step_seconds("ugct", costs.PAPER_TRAINING, SLOW) == 2 * costs.STEP_SECONDS["ugct"]


def test_every_stream_of_the_published_datasets_has_a_rate() -> None:
    config = load_config(shipped_config())
    for name in ("thumos14", "activitynet12"):
        dataset = config.datasets[name]
        for stream in dataset.stream_names:
            fast, slow = (costs.estimate_snippet_seconds(dataset, stream, rates) for rates in (RATES, SLOW))
            assert 0 < fast < slow


def test_auto_counts_with_the_faster_precision() -> None:
    config = load_config(shipped_config())
    rgb = config.datasets["thumos14"].encoders["rgb"]
    seconds = costs.estimate_snippet_seconds(config.datasets["thumos14"], "rgb", RATES)
    assert rgb.precision == "auto"
    assert seconds == costs.I3D_GFLOP / (costs.MATRIX_SHARE * RATES.bf16)


def test_the_rates_are_measured_with_the_threads_of_a_job() -> None:
    import torch

    before = torch.get_num_threads()
    rates = measure_rates(1)
    assert rates.fp32 > 1
    assert rates.bf16 > 1
    assert torch.get_num_threads() == before
