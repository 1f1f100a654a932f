"""The profile on a real Slurm: the bytes of a local run, a GPU for each network, more memory on retry, a lost node."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workflow.conftest import SNAKEMAKE, Project, make_tiny
from tests.workflow.processes import is_running, list_process_tree
from tests.workflow.slurm import Cluster, slurm, wait_for

SHARD = "results/demo/features/clip/0000-of-0002.parquet"
SEED = "results/demo/runs/stpn_sparse/seed-0"
# The plugin first checks after 2 seconds; each check without news adds 10 seconds to the interval.
EARLY_CHECK = ("--slurm-init-seconds-before-status-checks", "2")


@dataclass(frozen=True)
class Job:
    rule: str
    state: str
    memory: str
    node: str
    gpus: frozenset[str]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with slurm() as up:
        yield up


def start(cluster: Cluster, project: Project, *words: str) -> "subprocess.Popen[bytes]":
    return cluster.start(
        "snakemake", str(SNAKEMAKE), "--profile", "profiles/slurm", *EARLY_CHECK, *words, cwd=project.folder
    )


def jobs_of(cluster: Cluster) -> list[Job]:
    """Every submitted job in order, with the GPUs that its tasks saw."""
    rows = cluster.run_client(
        "squeue", "--states=all", "--sort=i", "--noheader", "--format=%i|%k|%T|%m|%N"
    ).splitlines()
    seen = [line.split() for line in (cluster.folder / "seen").read_text().splitlines()]
    jobs = []
    for number, comment, state, memory, node in (row.split("|") for row in rows):
        gpus = frozenset(gpu for own, gpu in seen if own == number)
        jobs.append(Job(comment.partition("_wildcards_")[0].removeprefix("rule_"), state, memory, node, gpus))
    return jobs


@pytest.fixture(scope="module")
def ran(cluster: Cluster, finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A shard extracted again, with too little memory at first, and a run that was never trained."""
    project = finished.copy_to(tmp_path_factory.mktemp("slurm") / "project")
    (project.folder / SHARD).unlink()
    too_little = ("--set-resources", "extract:mem_mb=300 * attempt ** 4")
    run = start(cluster, project, *too_little, "--", SHARD, f"{SEED}/detections.json")
    assert run.wait(600) == 0, cluster.output_path("snakemake").read_text()
    return project


def test_a_shard_has_the_same_bytes_as_without_slurm(ran: Project, finished: Project) -> None:
    assert (ran.folder / SHARD).read_bytes() == (finished.folder / SHARD).read_bytes()


def test_a_run_goes_through_its_rounds(ran: Project, cluster: Cluster) -> None:
    rules = [job.rule for job in jobs_of(cluster) if job.rule != "extract"]
    assert rules == ["cluster", "train", "cluster", "train", "localize"]
    assert (ran.folder / SEED / "detections.json").exists()


def test_a_job_that_was_granted_too_little_memory_comes_again_with_more(ran: Project, cluster: Cluster) -> None:
    first, second = [job for job in jobs_of(cluster) if job.rule == "extract"]
    assert (first.state, first.memory) == ("FAILED", "300M")
    assert (second.state, second.memory) == ("COMPLETED", "4800M")


def test_networks_see_one_gpu_and_the_first_clustering_none(ran: Project, cluster: Cluster) -> None:
    seen: dict[str, list[frozenset[str]]] = {}
    for job in jobs_of(cluster):
        seen.setdefault(job.rule, []).append(job.gpus)
    one, none = frozenset({"0"}), frozenset({"-"})
    assert seen == {"extract": [one] * 2, "cluster": [none, one], "train": [one] * 2, "localize": [one]}


def test_nothing_is_left_of_a_cluster_whatever_happens() -> None:
    processes: list[int] = []
    with pytest.raises(KeyError), slurm() as cluster:
        job = cluster.folder / "job"
        cluster.run_client("sbatch", "--output=/dev/null", f"--wrap=echo $$ > {job}; sleep 600")
        wait_for(lambda: job.exists() and job.read_text().endswith("\n"))
        processes = [pid for daemon in cluster.started.values() for pid in list_process_tree(daemon.pid)]
        assert int(job.read_text()) in processes
        raise KeyError
    assert not [pid for pid in processes if is_running(pid)]
    assert not cluster.folder.exists()


@pytest.mark.slow
def test_what_ran_on_a_lost_node_runs_on_the_other(tmp_path: Path, finished: Project) -> None:
    """From nothing to the same bytes; the node of the second training goes, and three minutes later all is done."""

    def trainings() -> list[Job]:
        return [job for job in jobs_of(cluster) if job.rule == "train"]

    project = make_tiny(tmp_path / "project")
    with slurm() as cluster:
        run = start(cluster, project)
        wait_for(lambda: [job.state for job in trainings()] == ["COMPLETED", "RUNNING"], 600)
        lost, since = trainings()[-1].node, time.monotonic()
        cluster.kill(lost)
        assert run.wait(600) == 0, cluster.output_path("snakemake").read_text()
        assert time.monotonic() - since < 180
        _, failed, again = trainings()
    assert (failed.node, failed.state) == (lost, "NODE_FAIL")
    assert (again.node != lost, again.state) == (True, "COMPLETED")
    assert project.contents() == finished.contents()
