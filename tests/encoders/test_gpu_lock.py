"""One job per GPU; the kernel releases the lock whenever the job ends."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clip_ae.encoders import gpu_lock

JOB = (
    "import sys, time; from pathlib import Path; from clip_ae.encoders.gpu_lock import acquire_gpu;"
    "from clip_ae.core.progress import show_progress; show_progress();"
    "print(acquire_gpu(sys.argv[2].split(','), Path(sys.argv[1])), flush=True); time.sleep(60)"
)


class Job:
    """A process that locks a GPU and keeps the lock."""

    def __init__(self, lock_dir: Path, uuids: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOB, str(lock_dir), uuids], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def read_index(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())

    def read_log_line(self) -> str:
        """The next line of its log; waits until there is one."""
        assert self.process.stderr
        return self.process.stderr.readline()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def job(tmp_path: Path) -> Iterator[type[Job]]:
    jobs: list[Job] = []

    def start(uuids: str = "a,b") -> Job:
        jobs.append(Job(tmp_path / "gpus", uuids))
        return jobs[-1]

    yield start  # type: ignore[misc]
    for started in jobs:
        started.kill()


def test_each_job_gets_its_own_gpu_and_a_killed_job_frees_its_gpu(job):
    first, second = job(), job()
    indices = {first.read_index(), second.read_index()}
    assert indices == {0, 1}
    third = job()
    assert third.read_log_line() == "all 2 GPUs are in use by other jobs; waiting for one\n"
    assert third.process.poll() is None
    second.kill()
    assert third.read_index() in indices
    first.process.terminate()
    assert job().read_index() in indices


def test_a_lock_follows_the_uuid_not_the_number(job):
    """CUDA_VISIBLE_DEVICES may hide some GPUs and change the order of the others."""
    assert job("a,b,c").read_index() == 0
    assert job("c,a").read_index() == 0
    assert job("c,a,b").read_index() == 2


def test_a_second_call_returns_the_same_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_lock, "_locks", {})
    assert gpu_lock.acquire_gpu(["b"], tmp_path) == 0
    assert gpu_lock.acquire_gpu(["a", "b"], tmp_path) == 1


def test_a_waiting_job_polls_and_logs_once(tmp_path, monkeypatch, capsys):
    results = iter([None, None, 1])
    monkeypatch.setattr(gpu_lock, "_try_acquire", lambda uuids, lock_dir: next(results))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    assert gpu_lock.acquire_gpu(["a", "b"], tmp_path) == 1
    assert capsys.readouterr().err.count("waiting") == 1
