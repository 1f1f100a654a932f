"""A whole project in a temporary folder, small enough to run in a test."""

import copy
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from clip_ae.workflow.config_files import read_config
from tests.builders import ROOT

PARTS = ("Snakefile", "config.yaml", "configs", "workflow", "clip_ae", "envs", "profiles")
SNAKEMAKE = Path(sys.executable).parent / "snakemake"

TINY: dict[str, Any] = {
    "demo": {"seed": 0, "train_videos": 6, "test_videos": 3, "seconds_min": 4, "seconds_max": 6},
    "rounds": 2,
    "seeds": [0],
    "runs": ["clip_ae", "stpn_sparse"],
    "main_run": "clip_ae",
    "training": {"snippets": 8, "batch_size": 4, "steps": 6, "learning_rate": 0.001, "log_every": 2, "width": 8},
}


# Names of videos that a shell, a template, a page or a terminal could misread as code or options.
VIDEO_NAMES = (
    "a b", "-dash", "br{ace}s {wildcards}", "<img src=x onerror=alert(1)>", "'quote\"", "$(touch ran);touch ran",
    "new\nline", "`touch ran` & naïve %2F", "--help #",
)  # fmt: skip


class Project:
    """A copy of the workflow with a config of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def create(folder: Path) -> "Project":
        folder.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        return Project(folder)

    def copy_to(self, folder: Path) -> "Project":
        """A copy with all results, modification times and Snakemake's metadata."""
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        return Project(folder)

    @property
    def config(self) -> dict[str, Any]:
        """All config files of the project as one dictionary."""
        return read_config(self.folder / "configs", [self.folder / "config.yaml"]).data

    @config.setter
    def config(self, data: Mapping[str, Any]) -> None:
        """All of it goes to config.yaml, so that a key can be removed too."""
        for path in (self.folder / "configs").glob("*.yaml"):
            path.unlink()
        text = yaml.safe_dump(copy.deepcopy(dict(data)), sort_keys=False)
        (self.folder / "config.yaml").write_text(text)

    def change(self, path: str, value: Any) -> None:
        data = yaml.safe_load(yaml.dump(self.config, Dumper=NoAliases))
        *parents, leaf = path.split(".")
        section = data
        for parent in parents:
            section = section.setdefault(parent, {})
        section[leaf] = value
        self.config = data

    def rewrite(self, path: str, edit: Callable[[str], str]) -> None:
        file = self.folder / path
        before = file.read_text()
        after = edit(before)
        assert after != before, f"{path}: the edit changed nothing"
        file.write_text(after)

    def command(self, *words: str) -> list[str]:
        return [str(SNAKEMAKE), "--cores", "2", *words]

    def run(self, *words: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            check=False,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=bare_environment(),
        )

    def planned(self, *words: str) -> dict[str, int]:
        """Jobs by rule that a dry run would start."""
        done = self.run("-n", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        table = re.findall(r"^ +(\d+)  (\w+): ", done.stdout + done.stderr, re.MULTILINE)
        return {rule: int(count) for count, rule in table}

    def error_line(self, *words: str) -> str:
        """The one error line of a command that exits with 2."""
        done = self.run(*words)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("clip-ae: ")]
        return line

    def contents(self) -> dict[str, bytes]:
        """Every result by its path. Logs and benchmarks contain times and are left out."""
        return {
            str(p.relative_to(self.folder)): p.read_bytes()
            for p in sorted((self.folder / "results").rglob("*"))
            if p.is_file() and not {"logs", "benchmarks"} & set(p.parts) and p.name != ".snakemake_timestamp"
        }


class NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def bare_environment() -> dict[str, str]:
    """No activated environment: the workflow must find its own Python."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/tmp"), "LANG": "C.UTF-8"}


def make_tiny(folder: Path) -> Project:
    project = Project.create(folder)
    data = yaml.safe_load(yaml.dump(project.config, Dumper=NoAliases))
    data["datasets"]["demo"].update(copy.deepcopy(TINY))
    short = {"epochs": 1, "batch_size": 12, "learning_rate": 0.001}
    data.setdefault("pretrain", {}).update({"num_clips": 24, "i3d": short, "clip": short, "vggish": short})
    # All stages run, and no test reads networks that took minutes to train.
    for name in data["weights"]:
        if name.startswith("demo_"):
            data["weights"][name] |= {"source": "pretrain", "integrity": None}
    project.config = data
    return project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny demo, run to its end once for all processes; tests that change it take `tiny` instead."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (shared / "done").exists():
            return Project(shared / "project")
        project = make_tiny(shared / "project")
        done = project.run()
        assert done.returncode == 0, done.stdout + done.stderr
        (shared / "done").touch()
    return project


@pytest.fixture(scope="session")
def finished_folder(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A dataset of a plain folder of videos with annotations: the demo's own, without its manifest, under odd names."""
    project = finished.copy_to(tmp_path_factory.mktemp("folder") / "project")
    folder = project.folder
    database = json.loads((folder / "results/demo/world/annotations.json").read_text())["database"]
    named = dict(zip(sorted(database), VIDEO_NAMES, strict=True))
    (folder / "mine/videos").mkdir(parents=True)
    for video_id, name in named.items():
        shutil.copy(folder / f"results/demo/world/videos/{video_id}.mp4", folder / f"mine/videos/{name}.mp4")
    content = {"database": {named[video_id]: entry for video_id, entry in database.items()}}
    (folder / "mine/annotations.json").write_text(json.dumps(content))
    demo = project.config["datasets"]["demo"]
    encoders = {stream: demo["streams"][stream] for stream in ("rgb", "flow")}
    dataset = {key: value for key, value in demo.items() if key not in ("demo", "vocabulary", "fewshot")}
    dataset |= {"videos_dir": "mine/videos", "annotations": "mine/annotations.json", "streams": encoders, "shards": 4}
    project.change("datasets.mine", dataset | {"rounds": 1, "runs": ["stpn_sparse"], "main_run": "stpn_sparse"})
    done = project.run("results/mine_map.json", "results/mine_report.html")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def folder_project(finished_folder: Project, tmp_path: Path) -> Project:
    """A copy of the finished folder dataset. A test may change it."""
    return finished_folder.copy_to(tmp_path / "project")


@pytest.fixture
def tiny(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished tiny demo with Snakemake's metadata. A test may change it."""
    return finished.copy_to(tmp_path / "project")
