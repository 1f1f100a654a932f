"""The report stage on inconsistent files, and on the files of a dataset without annotations."""

import json
from pathlib import Path

import pytest

from clip_ae.cli import main
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import Detection, Failure, Label, VideoInfo
from clip_ae.data.detections import write_detections, write_json
from clip_ae.data.labels import write_labels
from clip_ae.data.parquet import CURVES_SCHEMA, FAILURES_SCHEMA, VIDEOS_SCHEMA, write_rows
from clip_ae.provenance.read_provenance import read_provenance

PROVENANCE = Provenance("made by hand", {}, "c0de")
SPEC = {"dataset": "mine", "main_run": "stpn", "seeds": [0], "rounds": 1, "streams": ["rgb"], "method": "stpn"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    seed = tmp_path / "runs/stpn/seed-0"
    write_detections(seed / "detections.json", [Detection("v", "cluster-00", 0.5, 0.1, 0.9)], PROVENANCE)
    rows = [{"video_id": "v", "snippet": k, "attention": 0.5, "activation": {"cluster-00": 0.25}} for k in range(3)]
    write_rows(seed / "curves.parquet", CURVES_SCHEMA, rows, PROVENANCE)
    write_labels(seed / "round-0/labels.parquet", [Label("v", 0, "cluster-00")], PROVENANCE)
    (seed / "round-0/training.jsonl").write_text('{"step": 1, "total": 2.0}\n{"step": 2, "total": 1.0}\n')
    catalog(tmp_path, "v")
    write_rows(
        tmp_path / "failures.parquet", FAILURES_SCHEMA, [Failure("w", "probe", "decode", "<broken>")], PROVENANCE
    )
    return tmp_path


def catalog(folder: Path, video_id: str) -> None:
    row = {**vars(VideoInfo(video_id, f"sub/{video_id} ü.mp4", 1.9)), "subset": ""}
    write_rows(folder / "videos.parquet", VIDEOS_SCHEMA, [row], PROVENANCE)


def report(folder: Path, *words: object) -> int:
    options = {"runs": "runs", "catalog": "videos.parquet", "failures": "failures.parquet", "out": "out/page.html"}
    named = [word for name, path in options.items() for word in (f"--{name}", folder / path)]
    return main([str(word) for word in ("report", "--spec", json.dumps(SPEC), *named, *words)])


def test_a_dataset_without_annotations_has_its_videos_its_training_and_its_failures(folder: Path) -> None:
    assert report(folder, "--source", folder / "videos") == 0
    page = (folder / "out/page.html").read_text()
    assert [name for name in ("Scores", "Clusters", "Errors", "Videos", "Training") if f"<h2>{name}</h2>" in page] == [
        "Clusters",
        "Videos",
        "Training",
    ]
    assert '<p class="lead">stpn, seeds 0; features: rgb</p>' in page
    assert "&lt;broken&gt;" in page
    drawn = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert drawn["labels"] == [["cluster-00", None]]
    assert 'id="search-text"' not in page
    assert "texts" not in drawn
    (video,) = drawn["videos"]
    assert video["file"] == "../videos/sub/v ü.mp4"
    assert (video["ap"], video["loudness"], video["ground_truth"]) == (None, None, [])


def test_named_clusters_show_the_best_name_and_list_the_others(folder: Path) -> None:
    guesses = [{"name": "<waving>", "score": 0.75}, {"name": "clapping", "score": 0.125}]
    write_json(folder / "names.json", {"names": {"cluster-00": guesses}, "provenance": vars(PROVENANCE)})
    assert report(folder, "--cluster-names", folder / "names.json") == 0
    page = (folder / "out/page.html").read_text()
    assert "&lt;waving&gt; 75.0 %, clapping 12.5 %" in page
    drawn = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert drawn["labels"] == [["<waving>", "cluster-00"]]


def test_a_search_finds_the_moments_of_its_videos(folder: Path) -> None:
    listed = [{"text": "<waving>", "moments": [["v", 0.25, 1.5, 0.75], ["elsewhere", 0.0, 1.0, 0.5]]}]
    write_json(folder / "moments.json", {"texts": listed, "provenance": vars(PROVENANCE)})
    assert report(folder, "--moments", folder / "moments.json") == 0
    page = (folder / "out/page.html").read_text()
    assert 'id="search-text"' in page
    drawn = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert drawn["texts"] == [["<waving>", [[0, 0.2, 1.5, 0.75]]]]
    assert read_provenance(folder / "out/page.html").inputs["moments"] == PROVENANCE.id


def test_a_number_of_clusters_that_was_chosen_shows_its_curve(folder: Path) -> None:
    labels = folder / "runs/stpn/seed-0/round-0/labels.parquet"
    write_labels(labels, [Label("v", 0, "cluster-00")], PROVENANCE, {2: 0.25, 3: 0.5, 4: 0.125})
    assert report(folder) == 0
    page = (folder / "out/page.html").read_text()
    assert "Number of clusters" in page
    assert "the highest, 0.500, is that of 3" in page


def test_a_video_that_the_catalog_does_not_know(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalog(folder, "other")
    assert report(folder) == 2
    assert "video 'v' is not in videos.parquet" in capsys.readouterr().err


def test_a_diagnosis_cut_short(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "diagnosis.json").write_text('{"videos": {')
    assert report(folder, "--diagnosis", folder / "diagnosis.json") == 2
    assert "not a JSON file" in capsys.readouterr().err
