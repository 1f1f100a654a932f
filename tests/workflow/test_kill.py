"""Kill -9 at random moments, then the same command again: the same bytes as in an undisturbed run."""

import os
import random
import signal
import subprocess
import time
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


def kill_something(run: subprocess.Popen[bytes], rng: random.Random) -> None:
    """Snakemake itself, which leaves its jobs as orphans, or one of its jobs."""
    try:
        tree = list_process_tree(run.pid)
        victim = run.pid if rng.random() < 0.5 else rng.choice(tree)
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run_with_kills(project: Project, seconds: list[float], seed: int) -> None:
    """Run, kill after each of these times and start again at once, while orphans may still run; then run to the end."""
    rng = random.Random(seed)
    for delay in seconds:
        run = start(project)
        time.sleep(delay)
        kill_something(run, rng)
        if run.poll() is None and rng.random() < 0.5:
            os.kill(run.pid, signal.SIGKILL)
        run.wait()
    final = start(project)
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
