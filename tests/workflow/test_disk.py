"""A full or read-only disk: every stage prints one error line, leaves no partial file, and succeeds when repeated."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.conftest import Project, bare_environment

# The stages of a run from videos; ready features and names of clusters are written in the same way.
STAGES = (
    "make_demo", "pretrain", "weights", "probe", "extract", "catalog", "cluster", "train", "localize", "evaluate",
    "diagnose", "summarize", "report",
)  # fmt: skip
# Options that name outputs, of every stage and of single ones: other stages read what these name.
OUTPUT_OPTIONS = ("--out", "--failures-out", "--log")
OUTPUT_OPTIONS_OF = {
    "make_demo": ("--videos", "--annotations", "--sentences", "--manifest"),
    "localize": ("--curves", "--other-curve"),
}


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a file system of its own cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Fill the disk with one file. Empty files can still be created."""
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    return ballast


@pytest.fixture(scope="module")
def commands(finished: Project) -> dict[str, str]:
    """One command of every stage, as --printshellcmds prints it."""
    done = finished.run("-n", "--forceall", "--printshellcmds", "results/demo_map.json", "results/demo_report.html")
    found = re.findall(r"(python -m clip_ae (\w+) .*?) > \S+ 2>&1", done.stdout + done.stderr)
    return {stage: command for command, stage in reversed(found)}


def redirect_outputs(command: str, stage: str, out_dir: Path) -> tuple[str, dict[Path, str]]:
    """The command with its outputs in another folder, and the original path of each."""
    moved: dict[Path, str] = {}
    for option in (*OUTPUT_OPTIONS, *OUTPUT_OPTIONS_OF.get(stage, ())):
        for path in re.findall(rf"{option} (results/\S+)", command):
            new_path = out_dir / Path(path).name
            command, moved[new_path] = command.replace(f"{option} {path}", f"{option} {new_path}"), path
    return command, moved


def run(project: Project, command: str) -> subprocess.CompletedProcess[str]:
    environment = bare_environment() | {"PYTHONPATH": str(project.folder), "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    return subprocess.run(
        ["bash", "-c", command], check=False, cwd=project.folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_costs_a_line_and_the_next_try_gives_the_same_bytes(
    stage: str, tiny: Project, commands: dict[str, str], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small") as disk:
        ballast = fill(disk)
        command, moved = redirect_outputs(commands[stage], stage, disk)
        done = run(tiny, command)
        assert done.returncode == 2, done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("clip-ae: ")]
        assert "cannot be written: no space is left there" in line
        assert "Traceback" not in done.stderr
        assert [p for p in disk.rglob("*") if p.is_file() and p != ballast and not p.name.endswith(".lock")] == []
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert run(tiny, command).returncode == 0
        for here, path in moved.items():
            there = tiny.folder / path
            # A page contains the paths of its videos relative to itself.
            if here.is_file() and stage != "report":
                assert here.read_bytes() == there.read_bytes(), path


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_read_only_disk_costs_a_line(stage: str, tiny: Project, commands: dict[str, str], tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        command, _ = redirect_outputs(commands[stage], stage, disk)
        done = run(tiny, command)
        assert done.returncode == 2, done.stderr
        assert len([line for line in done.stderr.splitlines() if line.startswith("clip-ae: ")]) == 1
        messages = ("read-only", "not a folder that you can write to", "cannot be written to; name another")
        assert any(message in done.stderr for message in messages)
        assert os.listdir(disk) == []
