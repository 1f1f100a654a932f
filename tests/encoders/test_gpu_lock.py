"""One GPU a job, let go by the kernel however the job ends."""

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
    "print(acquire_gpu(sys.argv[2].split(','), Path(sys.argv[1])), flush=True); time.sleep(60)"
)


class Job:
    """A process that takes a GPU and holds it."""

    def __init__(self, folder: Path, names: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOB, str(folder), names], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def answer(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())

    def told(self) -> str:
        """The next line of its log, which it waits behind."""
        assert self.process.stderr
        return self.process.stderr.readline()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def job(tmp_path: Path) -> Iterator[type[Job]]:
    made: list[Job] = []

    def start(names: str = "a,b") -> Job:
        made.append(Job(tmp_path / "gpus", names))
        return made[-1]

    yield start  # type: ignore[misc]
    for one in made:
        one.kill()


def test_each_job_has_a_gpu_of_its_own_and_a_dead_job_s_is_free(job):
    first, second = job(), job()
    taken = {first.answer(), second.answer()}
    assert taken == {0, 1}
    third = job()
    assert third.told() == "all 2 GPUs are at work for other jobs; waiting for one\n"
    assert third.process.poll() is None
    second.kill()
    assert third.answer() in taken
    first.process.terminate()
    assert job().answer() in taken


def test_a_gpu_is_itself_under_any_number(job):
    """CUDA_VISIBLE_DEVICES may hide some and turn the others round."""
    assert job("a,b,c").answer() == 0
    assert job("c,a").answer() == 0
    assert job("c,a,b").answer() == 2


def test_a_job_keeps_its_gpu_and_takes_no_second_one(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_lock, "_held", {})
    assert gpu_lock.acquire_gpu(["b"], tmp_path) == 0
    assert gpu_lock.acquire_gpu(["a", "b"], tmp_path) == 1


def test_a_waiting_job_looks_again_and_again(tmp_path, monkeypatch, capsys):
    looks = iter([None, None, 1])
    monkeypatch.setattr(gpu_lock, "_free", lambda names, folder: next(looks))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    assert gpu_lock.acquire_gpu(["a", "b"], tmp_path) == 1
    assert capsys.readouterr().err.count("waiting") == 1
