"""Machines that differ from a developer's: clocks and dates that are wrong, no HOME, LANG=C, a read-only checkout."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflow.conftest import SNAKEMAKE, Project, bare_environment
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


def without_privileges(command: list[str]) -> list[str]:
    """The command without root's right to write to read-only folders; of other users, just the command."""
    if os.getuid():
        return command
    return ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override", *command]


def test_a_read_only_checkout_is_run_from_a_folder_of_ones_own(finished_folder: Project, tmp_path: Path) -> None:
    if subprocess.run(without_privileges(["true"]), check=False, capture_output=True).returncode:
        pytest.skip("root cannot give up its rights here")
    checkout, work = tmp_path / "checkout", tmp_path / "work"
    ignore = shutil.ignore_patterns("results", ".snakemake", "mine", "__pycache__")
    shutil.copytree(finished_folder.folder, checkout, ignore=ignore)
    for part in ("results", "mine"):
        shutil.copytree(finished_folder.folder / part, work / part)
    for path in (work / "results").glob("mine_*"):
        path.unlink()
    folders = [checkout, *(path for path in checkout.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    words = ["-s", str(checkout / "Snakefile"), "--directory", str(work), "--cores", "2", *TARGETS]
    done = subprocess.run(
        without_privileges([str(SNAKEMAKE), *words]),
        check=False, cwd=work, env=bare_environment(), capture_output=True, text=True,
    )  # fmt: skip
    for folder in folders:
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert (work / "results/mine_report.html").is_file()
    assert not [path for path in checkout.rglob("*") if path.name in (".snakemake", "__pycache__")]
