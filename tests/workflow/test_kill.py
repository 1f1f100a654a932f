"""Kill -9 at random moments, then the same command again: the same bytes as in an undisturbed run."""

import contextlib
import faulthandler
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from tests.workflow.conftest import Project, bare_environment, make_tiny
from tests.workflow.processes import list_process_tree


def start(project: Project, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        project.command("--nolock", "--rerun-incomplete", *words),
        cwd=project.folder,
        env=bare_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_group(run: subprocess.Popen[bytes], _rng: random.Random) -> None:
    """Snakemake and all its jobs at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)


def kill_something(run: subprocess.Popen[bytes], rng: random.Random) -> None:
    """Snakemake itself, which leaves its jobs as orphans, or one of its jobs."""
    try:
        tree = list_process_tree(run.pid)
        victim = run.pid if rng.random() < 0.5 else rng.choice(tree)
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run_with_kills(
    project: Project,
    seconds: Iterable[float],
    seed: int,
    targets: Sequence[str] = (),
    kill: Callable[[subprocess.Popen[bytes], random.Random], None] = kill_something,
) -> None:
    """Run, kill after each of these times and start again at once, while orphans may still run; then run to the end.

    Many kills take longer than the ten minutes after which a test counts as hanging.
    """
    faulthandler.cancel_dump_traceback_later()
    rng = random.Random(seed)
    for delay in seconds:
        run = start(project, *targets)
        time.sleep(delay)
        kill(run, rng)
        if run.poll() is None and rng.random() < 0.5:
            os.kill(run.pid, signal.SIGKILL)
        run.wait()
    final = start(project, *targets)
    assert final.wait() == 0
    # Orphans of the last kill may still be writing: the same bytes, so this ends the same.
    time.sleep(2)


def delete_results(project: Project, *parts: str) -> None:
    """Delete some results and the final ones: Snakemake makes a missing intermediate file only for a missing target."""
    results = project.folder / "results"
    for path in (*(results / part for part in parts), *results.glob("demo_*")):
        subprocess.run(["rm", "-r", str(path)], check=True)


def assert_same(project: Project, other: Project) -> None:
    one, two = project.contents(), other.contents()
    assert sorted(one) == sorted(two)
    assert [path for path in one if one[path] != two[path]] == []


def test_killed_in_the_middle_of_learning(tiny: Project, finished: Project) -> None:
    """From finished features on, where jobs are short: three kills."""
    delete_results(tiny, "demo/runs", "demo/features/clip", "demo/failures/clip", "demo/videos.parquet")
    run_with_kills(tiny, [3.0, 5.0, 4.0], seed=0)
    assert_same(tiny, finished)
    assert tiny.planned() == {}


def test_plain_snakemake_after_a_kill_needs_one_command(tiny: Project, finished: Project) -> None:
    """The bare command, once after --unlock; profiles/default brings --rerun-incomplete."""
    delete_results(tiny, "demo/runs")
    run = subprocess.Popen(
        tiny.command(), cwd=tiny.folder, env=bare_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(4)
    tree = list_process_tree(run.pid)
    for pid in tree:
        os.kill(pid, signal.SIGKILL)
    run.wait()
    assert tiny.run("--unlock").returncode == 0
    done = tiny.run()
    assert done.returncode == 0, done.stderr
    assert_same(tiny, finished)


@pytest.mark.slow
def test_killed_at_twenty_random_moments_from_scratch(tmp_path: Path, finished: Project) -> None:
    """Two folders, one of them killed twenty times: byte-identical results."""
    project = make_tiny(tmp_path / "elsewhere" / "project")
    rng = random.Random(1)
    run_with_kills(project, [rng.uniform(2, 15) for _ in range(20)], seed=1)
    assert_same(project, finished)


RESULTS = ("map.json", "report.html", "table.md", "ablation.md", "diagnosis.json", "grounding.json", "fewshot.json")
EVERY_TARGET = [f"results/demo_{name}" for name in RESULTS]


def make_every_stage(folder: Path) -> Project:
    """The tiny demo with a job of every kind: adapters, a tuned encoder, search, grounding and few-shot episodes."""
    project = make_tiny(folder)
    tuning = {"blocks": 1, "steps": 2, "batch_size": 2}
    project.change("datasets.demo.adapter_training", {"steps": 4, "batch_size": 2, "width": 8, "tuning": tuning})
    project.change("datasets.demo.runs", ["clip_ae", "ugct_named", "ugct_tuned", "ridge_weak"])
    project.change("datasets.demo.fewshot", {"feature_adapters": ["base_classes"], "ways": 2, "shots": [1]})
    return project


@pytest.mark.slow
def test_the_group_killed_at_fifty_random_moments_with_every_kind_of_stage(tmp_path: Path) -> None:
    """Two folders, one of them killed fifty times, Snakemake with all its jobs: byte-identical results."""
    calm, killed = (make_every_stage(tmp_path / name / "project") for name in ("calm", "killed"))
    run_with_kills(calm, [], 0, EVERY_TARGET)
    rng = random.Random(2)
    run_with_kills(killed, [rng.uniform(2, 15) for _ in range(50)], 2, EVERY_TARGET, kill_group)
    for project in (calm, killed):
        # The one result that has times: the minutes of training.
        (project.folder / "results/demo_table.md").unlink()
    assert_same(killed, calm)
    assert not list((killed.folder / "results").rglob(".*.tmp*"))


def test_a_second_snakemake_in_the_same_folder_ends_at_the_lock(tiny: Project, finished: Project) -> None:
    delete_results(tiny, "demo/runs")
    first = subprocess.Popen(
        tiny.command(), cwd=tiny.folder, env=bare_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list((tiny.folder / ".snakemake/locks").glob("*")):
        assert first.poll() is None
        time.sleep(0.1)
    second = tiny.run()
    assert second.returncode == 1
    assert "cannot be locked" in second.stdout + second.stderr
    assert "Traceback" not in second.stdout + second.stderr
    assert first.wait() == 0
    assert_same(tiny, finished)
    assert tiny.planned() == {}


def test_ctrl_c_leaves_nothing_half_written(tiny: Project) -> None:
    delete_results(tiny, "demo/features/rgb", "demo/runs")
    run = subprocess.Popen(
        tiny.command(),
        cwd=tiny.folder,
        env=bare_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    time.sleep(5)
    os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=60)
    assert run.returncode != 0
    assert "Traceback" not in output
    assert not list((tiny.folder / "results").rglob(".*.tmp*"))
    assert not [p for p in (tiny.folder / "results/demo/features/rgb").glob("*.parquet") if p.stat().st_size < 100]
