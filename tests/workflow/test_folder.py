"""A plain folder of videos: what a changed file, a moved folder or a corrected annotation runs again."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from clip_ae.core.sharding import assign_shard, format_shard_name
from clip_ae.data.vocabulary import read_vocabulary
from tests.workflow.conftest import NAMES, Project

TARGETS = ("results/mine_map.json", "results/mine_report.html")
FOLLOWS = {"cluster": 1, "train": 1, "localize": 1, "evaluate": 1, "diagnose": 1, "summarize": 1, "report": 1}
ONE_SHARD = {"probe": 1, "extract": 2, "catalog": 1, **FOLLOWS}


def annotate(project: Project, edit: Any) -> None:
    path = project.folder / "mine/annotations.json"
    data = json.loads(path.read_text())
    edit(data["database"])
    path.write_text(json.dumps(data))


def a_video(project: Project, subset: str) -> Path:
    database = json.loads((project.folder / "mine/annotations.json").read_text())["database"]
    video_id = next(v for v, entry in sorted(database.items()) if entry["subset"] == subset)
    return project.folder / f"mine/videos/{video_id}.mp4"


def test_nothing_to_do(finished_folder: Project) -> None:
    assert finished_folder.planned(*TARGETS) == {}


def test_odd_names_go_through_whole_and_are_never_run(finished_folder: Project) -> None:
    results = finished_folder.folder / "results"
    rows = pq.read_table(results / "mine/videos.parquet").to_pylist()
    assert {row["video_id"]: row["status"] for row in rows} == dict.fromkeys(NAMES, "ok")
    found = json.loads((results / "mine/runs/stpn_sparse/seed-0/detections.json").read_text())["results"]
    assert set(found) <= set(NAMES)
    assert not [path for path in finished_folder.folder.rglob("*") if path.name == "ran"]
    page = (results / "mine_report.html").read_text()
    assert "<img src=x" not in page


def test_a_video_added(mine: Project) -> None:
    shutil.copy(a_video(mine, "training"), mine.folder / "mine/videos/added.mp4")
    annotate(mine, lambda d: d.update(added={"subset": "training", "annotations": []}))
    assert mine.planned(*TARGETS) == ONE_SHARD
    shard = format_shard_name(assign_shard("added", 4), 4)
    done = mine.run("-n", *TARGETS)
    probes = [line for line in (done.stdout + done.stderr).splitlines() if "output: results/mine/probe/" in line]
    assert len(probes) == 1
    assert shard in probes[0]


@pytest.mark.parametrize("how", ["touched", "replaced"])
def test_a_video_touched_or_replaced(mine: Project, how: str) -> None:
    video = a_video(mine, "validation")
    if how == "touched":
        os.utime(video, (1, 1))
    else:
        facts = video.stat()
        video.write_bytes(video.read_bytes() + b"\0")
        os.utime(video, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert mine.planned(*TARGETS) == ONE_SHARD


def test_the_folder_moved(mine: Project) -> None:
    (mine.folder / "elsewhere").mkdir()
    (mine.folder / "mine/videos").rename(mine.folder / "elsewhere/clips")
    mine.change("datasets.mine.videos_dir", "elsewhere/clips")
    assert mine.planned(*TARGETS) == {}


def test_a_test_annotation_corrected(mine: Project) -> None:
    test_id = a_video(mine, "validation").stem

    def edit(database: Any) -> None:
        database[test_id]["annotations"][0]["segment"][1] += 0.1

    annotate(mine, edit)
    assert mine.planned(*TARGETS) == {"evaluate": 1, "diagnose": 1, "summarize": 1, "report": 1}


def test_a_training_video_withdrawn(mine: Project) -> None:
    train_id = a_video(mine, "training").stem
    annotate(mine, lambda database: database[train_id].update(subset="unused"))
    assert mine.planned(*TARGETS) == {"catalog": 1, **FOLLOWS}


def test_annotations_of_absent_videos_are_rows_and_are_counted(mine: Project) -> None:
    annotate(mine, lambda database: database.update(ghost={"subset": "validation", "annotations": []}))
    done = mine.run(*TARGETS)
    assert done.returncode == 0, done.stderr
    rows = {row["video_id"]: row for row in pq.read_table(mine.folder / "results/mine/videos.parquet").to_pylist()}
    assert rows["ghost"]["status"] == "missing"
    assert json.loads((mine.folder / "results/mine_map.json").read_text())["counts"]["videos_missing"] == 1
    assert "ghost" in (mine.folder / "results/mine_report.html").read_text()


def test_broken_files_cost_rows_and_never_the_run(mine: Project) -> None:
    videos = mine.folder / "mine/videos"
    good = a_video(mine, "training")
    (videos / "zero.mp4").touch()
    (videos / "text <b>&.mp4").write_text("not a video")
    (videos / "-dash ü.mp4").write_bytes(good.read_bytes()[:2000])
    done = mine.run(*TARGETS)
    assert done.returncode == 0, done.stderr
    failures = {row["video_id"] for row in pq.read_table(mine.folder / "results/mine/failures.parquet").to_pylist()}
    assert failures == {"zero", "text <b>&", "-dash ü"}
    page = (mine.folder / "results/mine_report.html").read_text()
    assert "text &lt;b&gt;&amp;" in page
    assert "text <b>" not in page


def test_more_broken_files_than_allowed_stop_it_before_anything_is_learnt(mine: Project) -> None:
    (mine.folder / "mine/videos/zero.mp4").touch()
    shutil.rmtree(mine.folder / "results/mine/runs")
    mine.change("datasets.mine.max_failures", 0.05)
    done = mine.run(*TARGETS, "--cores", "1")
    assert done.returncode == 1
    assert (
        "1 of 10 videos failed (empty 1), more than max_failures 0.05 allows; the tables in results/mine/"
        in done.stderr
    )
    assert not list(mine.folder.glob("results/mine/runs/**/*.parquet")), "not even clustered"


def test_fewer_videos_than_clusters(mine: Project) -> None:
    mine.change("datasets.mine.classes", 50)
    done = mine.run("results/mine_map.json")
    assert done.returncode == 1
    log = (mine.folder / "results/mine/logs/cluster/stpn_sparse/seed-0/round-0.log").read_text()
    line = log.splitlines()[-1]
    assert line.startswith("clip-ae: ")
    assert "50" in line
    assert "Traceback" not in log


def test_a_weights_file_with_one_flipped_byte_is_refused(mine: Project) -> None:
    path = mine.folder / "results/weights/demo_rgb.safetensors"
    facts = path.stat()
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    done = mine.run("results/mine/features/rgb/0000-of-0004.parquet", "--forcerun", "extract")
    assert done.returncode == 1
    log = (mine.folder / "results/mine/logs/extract/rgb/0000-of-0004.log").read_text()
    assert "results/weights/demo_rgb.safetensors: content does not match its own sha256" in log
    assert "Traceback" not in log


def test_features_that_lie_ready(mine: Project) -> None:
    """The shards of one dataset are the source of another, from clustering on."""
    dataset = mine.config["datasets"]["mine"]
    ready = {key: value for key, value in dataset.items() if key not in ("videos_dir", "encoders")}
    ready |= {"features_dir": "ready", "streams": ["rgb", "flow"], "shards": 3}
    shutil.copytree(mine.folder / "results/mine/features", mine.folder / "ready")
    mine.change("datasets.ready", ready)
    done = mine.run("results/ready_map.json", "results/ready_detections.json")
    assert done.returncode == 0, done.stderr
    scores = [json.loads((mine.folder / f"results/{name}_map.json").read_text()) for name in ("mine", "ready")]
    assert scores[0]["mAP"] == scores[1]["mAP"]
    assert mine.planned("results/ready_map.json") == {}


def test_own_videos_a_number_left_open_names_and_a_few_examples(mine: Project) -> None:
    """No annotation reaches clustering, training or localization; the examples score what came of it."""
    demo = mine.config["datasets"]["demo"]["encoders"]
    mine.change("datasets.mine.annotations", None)
    mine.change("datasets.mine.encoders", {stream: demo[stream] for stream in ("rgb", "flow", "clip")})
    mine.change("datasets.mine.classes", "auto")
    mine.change("datasets.mine.vocabulary", "workflow/vocabularies/everyday.txt")
    done = mine.run("results/mine_detections.json")
    assert done.returncode == 0, done.stderr
    before = (mine.folder / "results/mine_detections.json").read_bytes()
    names = json.loads(before)["external_data"]["names"]
    words = {word.name for word in read_vocabulary(mine.folder / "workflow/vocabularies/everyday.txt")}
    assert names
    assert all(guess["name"] in words for guesses in names.values() for guess in guesses)
    mine.change("datasets.mine.partial_annotations", "mine/annotations.json")
    done = mine.run("results/mine_map.json", "results/mine_detections.json", "results/mine_report.html")
    assert done.returncode == 0, done.stderr
    assert (mine.folder / "results/mine_detections.json").read_bytes() == before
    assert json.loads((mine.folder / "results/mine_map.json").read_text())["mAP"]
    assert "Number of clusters" in (mine.folder / "results/mine_report.html").read_text()
    assert "0 out of date" in mine.run("verify", "--forcerun", "verify").stdout


def test_no_annotations_at_all(mine: Project) -> None:
    mine.change("datasets.mine.annotations", None)
    done = mine.run("results/mine_detections.json", "results/mine_report.html")
    assert done.returncode == 0, done.stderr
    found = json.loads((mine.folder / "results/mine_detections.json").read_text())["results"]
    assert len(found) == 9
    assert {d["label"].split("-")[0] for listed in found.values() for d in listed} == {"cluster"}
