"""Machines that differ from a developer's: clocks and dates that are wrong, no HOME, LANG=C, a read-only checkout."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.conftest import SNAKEMAKE, Project
from tests.workflow.test_folder import TARGETS

# 2099-01-01 in seconds.
YEAR_2099 = 4070908800
SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"


def delete_learned(project: Project) -> None:
    """Delete everything after the features."""
    shutil.rmtree(project.folder / "results/mine/runs")
    for path in (project.folder / "results").glob("mine_*"):
        path.unlink()


def test_files_dated_2099_are_read_once(folder_project: Project) -> None:
    annotations = folder_project.folder / "mine/annotations.json"
    video = next((folder_project.folder / "mine/videos").glob("*.mp4"))
    for path in (annotations, video):
        os.utime(path, (YEAR_2099, YEAR_2099))
    before = folder_project.contents()
    done = folder_project.run(*TARGETS)
    assert done.returncode == 0, done.stderr
    assert folder_project.planned(*TARGETS) == {}
    assert folder_project.contents() == before


def test_without_home_and_with_the_language_c(folder_project: Project) -> None:
    before = folder_project.contents()
    delete_learned(folder_project)
    done = subprocess.run(
        folder_project.command(*TARGETS),
        check=False, cwd=folder_project.folder, capture_output=True, text=True,
        env={"PATH": SEARCH_PATH, "LANG": "C", "LC_ALL": "C"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert folder_project.contents() == before


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter; pytest's own are for one user."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


def as_other_user(command: list[str], cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run as a user without rights: root could write to a read-only folder."""
    if os.getuid() == 0:
        command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *command]
    environment = {"PATH": SEARCH_PATH, "HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run(command, check=False, cwd=cwd, env=environment, capture_output=True, text=True)


def test_a_read_only_checkout_is_run_from_a_folder_of_ones_own(finished_folder: Project, open_folder: Path) -> None:
    checkout, work = open_folder / "checkout", open_folder / "work"
    shutil.copytree(finished_folder.folder, checkout, ignore=shutil.ignore_patterns("results", ".snakemake", "mine"))
    work.mkdir()
    for part in ("results", "mine"):
        shutil.copytree(finished_folder.folder / part, work / part)
    for path in work.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    work.chmod(0o777)
    for path in (checkout, *checkout.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if as_other_user([sys.executable, "--version"], work, open_folder).returncode:
        pytest.skip("another user cannot run this environment's Python here")
    for path in (work / "results").glob("mine_*"):
        path.unlink()
    command = [
        str(SNAKEMAKE), "-s", str(checkout / "Snakefile"), "--directory", str(work), "--cores", "2", *TARGETS,
    ]  # fmt: skip
    done = as_other_user(command, work, open_folder)
    assert done.returncode == 0, done.stderr
    assert (work / "results/mine_report.html").is_file()
    assert not list(checkout.rglob("__pycache__"))
