"""A user's mistakes end in one line and exit 2, before any job starts."""

import json
import re
from pathlib import Path

import pytest

from tests.builders import video_dataset
from tests.workflow.conftest import Project, make_tiny


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_tiny(tmp_path / "project")


def error_before_jobs(project: Project, *words: str) -> str:
    """The error line of a command that starts no job."""
    line = project.error_line(*words)
    assert not (project.folder / "results").exists()
    return line


def test_an_unknown_key(project: Project) -> None:
    project.change("datasets.demo.trainng", {})
    line = error_before_jobs(project)
    assert re.fullmatch(
        r"clip-ae: config\.yaml:\d+: datasets\.demo\.trainng: unknown key; did you mean 'training'\?", line
    )


def test_an_impossible_value_on_the_command_line(project: Project) -> None:
    assert "torch_threads: 0 must be at least 1" in error_before_jobs(project, "--config", "torch_threads=0")


def test_a_file_that_is_not_yaml(project: Project) -> None:
    project.rewrite("config.yaml", lambda text: text + "\n  bad: [1\n")
    assert "config.yaml:" in error_before_jobs(project)


def test_a_file_with_a_character_that_no_text_has(project: Project) -> None:
    """YAML's own words for it are three lines; the first is enough."""
    project.rewrite("config.yaml", lambda text: text + "\n# \x07\n")
    assert "not YAML (unacceptable character #x0007: special characters are not allowed)" in error_before_jobs(project)


def test_a_key_that_stands_twice(project: Project) -> None:
    project.rewrite("config.yaml", lambda text: text + "\ntorch_threads: 3\n")
    assert "'torch_threads' is given twice" in error_before_jobs(project)


def test_no_videos_on_disk(project: Project) -> None:
    line = error_before_jobs(project, "results/thumos14_map.json")
    for words in ("data/thumos14/videos", "datasets.thumos14.videos_dir", "docs/datasets.md"):
        assert words in line


def test_no_annotations_on_disk(project: Project) -> None:
    (project.folder / "data/thumos14/videos").mkdir(parents=True)
    (project.folder / "data/thumos14/videos/a.mp4").touch()
    line = error_before_jobs(project, "results/thumos14_map.json")
    for words in ("data/thumos14/annotations.json", "datasets.thumos14.annotations", "docs/datasets.md"):
        assert words in line


def test_a_map_of_a_dataset_without_annotations(project: Project) -> None:
    project.change("datasets.mine", video_dataset("mine"))
    assert "use the target results/mine_detections.json" in error_before_jobs(project, "results/mine_map.json")


def test_two_videos_of_one_name(project: Project) -> None:
    for name in ("a/x.mp4", "b/x.mkv"):
        file = project.folder / "data/thumos14/videos" / name
        file.parent.mkdir(parents=True)
        file.touch()
    line = error_before_jobs(project, "results/thumos14_map.json")
    assert "a/x.mp4" in line
    assert "b/x.mkv" in line


def test_a_misspelt_subset_costs_no_extraction(project: Project) -> None:
    project.change("datasets.demo.train_subset", "trainning")
    assert "'trainning' is not a subset of the annotations; did you mean 'training'?" in error_before_jobs(project)


@pytest.mark.parametrize("name", ["models/mine.pt", "models/a:b.pt", "timmy.pt"])
def test_a_local_weights_file_that_is_not_there(project: Project, name: str) -> None:
    project.change("weights.demo_rgb.source", name)
    assert f"{name}: no such file; it is the source of weights.demo_rgb" in error_before_jobs(project)


class TestListing:
    """Plans over videos that are listed, not opened."""

    @pytest.fixture
    def listed(self, project: Project) -> Project:
        videos = project.folder / "data/thumos14/videos"
        videos.mkdir(parents=True)
        names = [f"v{i}" for i in range(40)] + ["a b", "-dash", "br{ace}", "<angle>", "naïve", "'quote", "new\nline"]
        database = {}
        for i, name in enumerate(names):
            (videos / f"{name}.mp4").touch()
            subset = "validation" if i % 2 else "test"
            database[name] = {"subset": subset, "annotations": [{"label": "x", "segment": [0, 1]}]}
        (project.folder / "data/thumos14/annotations.json").write_text(json.dumps({"database": database}))
        return project

    def test_any_file_name_can_be_planned(self, listed: Project) -> None:
        jobs = listed.planned("results/thumos14_map.json")
        assert jobs["probe"] == 16
        assert jobs["extract"] == 64
        assert jobs["train"] == 15
