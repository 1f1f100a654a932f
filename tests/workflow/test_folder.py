"""A plain folder of videos: what a changed file, a moved folder or a corrected annotation runs again."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from clip_ae import load_features
from clip_ae.core.sharding import assign_shard, format_shard_name
from clip_ae.data.vocabulary import read_vocabulary
from tests.workflow.conftest import VIDEO_NAMES, Project

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
    assert {row["video_id"]: row["status"] for row in rows} == dict.fromkeys(VIDEO_NAMES, "ok")
    found = json.loads((results / "mine/runs/stpn_sparse/seed-0/detections.json").read_text())["results"]
    assert set(found) <= set(VIDEO_NAMES)
    assert not [path for path in finished_folder.folder.rglob("*") if path.name == "ran"]
    page = (results / "mine_report.html").read_text()
    assert "<img src=x" not in page


def test_a_video_added(folder_project: Project) -> None:
    shutil.copy(a_video(folder_project, "training"), folder_project.folder / "mine/videos/added.mp4")
    annotate(folder_project, lambda d: d.update(added={"subset": "training", "annotations": []}))
    assert folder_project.planned(*TARGETS) == ONE_SHARD
    shard = format_shard_name(assign_shard("added", 4), 4)
    done = folder_project.run("-n", "-p", *TARGETS)
    probes = [line for line in (done.stdout + done.stderr).splitlines() if "output: results/mine/probe/" in line]
    assert len(probes) == 1
    assert shard in probes[0]


@pytest.mark.parametrize("how", ["touched", "replaced"])
def test_a_video_touched_or_replaced(folder_project: Project, how: str) -> None:
    video = a_video(folder_project, "validation")
    if how == "touched":
        os.utime(video, (1, 1))
    else:
        facts = video.stat()
        video.write_bytes(video.read_bytes() + b"\0")
        os.utime(video, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert folder_project.planned(*TARGETS) == ONE_SHARD


def test_the_folder_moved(folder_project: Project) -> None:
    (folder_project.folder / "elsewhere").mkdir()
    (folder_project.folder / "mine/videos").rename(folder_project.folder / "elsewhere/clips")
    folder_project.change("datasets.mine.videos_dir", "elsewhere/clips")
    assert folder_project.planned(*TARGETS) == {}


def test_a_test_annotation_corrected(folder_project: Project) -> None:
    test_id = a_video(folder_project, "validation").stem

    def edit(database: Any) -> None:
        database[test_id]["annotations"][0]["segment"][1] += 0.1

    annotate(folder_project, edit)
    assert folder_project.planned(*TARGETS) == {"evaluate": 1, "diagnose": 1, "summarize": 1, "report": 1}


def test_a_training_video_withdrawn(folder_project: Project) -> None:
    train_id = a_video(folder_project, "training").stem
    annotate(folder_project, lambda database: database[train_id].update(subset="unused"))
    assert folder_project.planned(*TARGETS) == {"catalog": 1, **FOLLOWS}


def test_annotations_of_absent_videos_are_rows_and_are_counted(folder_project: Project) -> None:
    annotate(folder_project, lambda database: database.update(ghost={"subset": "validation", "annotations": []}))
    done = folder_project.run(*TARGETS)
    assert done.returncode == 0, done.stderr
    rows = {
        row["video_id"]: row for row in pq.read_table(folder_project.folder / "results/mine/videos.parquet").to_pylist()
    }
    assert rows["ghost"]["status"] == "missing"
    assert json.loads((folder_project.folder / "results/mine_map.json").read_text())["counts"]["videos_missing"] == 1
    assert "ghost" in (folder_project.folder / "results/mine_report.html").read_text()


def test_broken_files_cost_rows_and_never_the_run(folder_project: Project) -> None:
    videos = folder_project.folder / "mine/videos"
    good = a_video(folder_project, "training")
    (videos / "zero.mp4").touch()
    (videos / "text <b>&.mp4").write_text("not a video")
    (videos / "-dash ü.mp4").write_bytes(good.read_bytes()[:2000])
    done = folder_project.run(*TARGETS)
    assert done.returncode == 0, done.stderr
    failures = {
        row["video_id"] for row in pq.read_table(folder_project.folder / "results/mine/failures.parquet").to_pylist()
    }
    assert failures == {"zero", "text <b>&", "-dash ü"}
    page = (folder_project.folder / "results/mine_report.html").read_text()
    assert "text &lt;b&gt;&amp;" in page
    assert "text <b>" not in page


def test_more_broken_files_than_allowed_stop_it_before_anything_is_learnt(folder_project: Project) -> None:
    (folder_project.folder / "mine/videos/zero.mp4").touch()
    shutil.rmtree(folder_project.folder / "results/mine/runs")
    folder_project.change("datasets.mine.max_failures", 0.05)
    done = folder_project.run(*TARGETS, "--cores", "1")
    assert done.returncode == 1
    assert (
        "1 of 10 videos failed (empty 1), more than max_failures 0.05 allows; the tables in results/mine/"
        in done.stderr
    )
    assert not list(folder_project.folder.glob("results/mine/runs/**/*.parquet")), "not even clustered"


def test_fewer_videos_than_clusters(folder_project: Project) -> None:
    folder_project.change("datasets.mine.classes", 50)
    done = folder_project.run("results/mine_map.json")
    assert done.returncode == 1
    log = (folder_project.folder / "results/mine/logs/cluster/stpn_sparse/seed-0/round-0.log").read_text()
    line = log.splitlines()[-1]
    assert line.startswith("clip-ae: ")
    assert "50" in line
    assert "Traceback" not in log


def test_a_weights_file_with_one_flipped_byte_is_refused(folder_project: Project) -> None:
    path = folder_project.folder / "results/weights/demo_rgb.safetensors"
    facts = path.stat()
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    done = folder_project.run("results/mine/features/rgb/0000-of-0004.parquet", "--forcerun", "extract")
    assert done.returncode == 1
    log = (folder_project.folder / "results/mine/logs/extract/rgb/0000-of-0004.log").read_text()
    assert "results/weights/demo_rgb.safetensors: content does not match its own sha256" in log
    assert "Traceback" not in log


def test_features_that_lie_ready(folder_project: Project) -> None:
    """The shards of one dataset are the source of another, from clustering on."""
    dataset = folder_project.config["datasets"]["mine"]
    ready = {key: value for key, value in dataset.items() if key not in ("videos_dir", "streams")}
    ready |= {"features_dir": "ready", "streams": {"rgb": {}, "flow": {}}, "shards": 3}
    shutil.copytree(folder_project.folder / "results/mine/features", folder_project.folder / "ready")
    folder_project.change("datasets.ready", ready)
    done = folder_project.run("results/ready_map.json", "results/ready_detections.json")
    assert done.returncode == 0, done.stderr
    scores = [
        json.loads((folder_project.folder / f"results/{name}_map.json").read_text()) for name in ("mine", "ready")
    ]
    assert scores[0]["mAP"] == scores[1]["mAP"]
    assert folder_project.planned("results/ready_map.json") == {}


def test_one_stream_of_any_name_from_videos_to_the_page(folder_project: Project) -> None:
    """CLIP's rows as the only stream, under a name of our own; then the same rows as arrays in a folder."""
    clip = folder_project.config["datasets"]["demo"]["streams"]["clip"]
    folder_project.change("datasets.mine.streams", {"pictures": {**clip, "encoder": "clip", "role": "cbp"}})
    done = folder_project.run("results/mine_map.json", "results/mine_report.html")
    assert done.returncode == 0, done.stderr
    assert "features: pictures" in (folder_project.folder / "results/mine_report.html").read_text()
    features = load_features(folder_project.folder / "results/mine/features", ["pictures"])
    (folder_project.folder / "arrays").mkdir()
    for video_id, video in features.by_stream["pictures"].items():
        np.save(folder_project.folder / f"arrays/{video_id}.npy", video.feature)
    dataset = {k: v for k, v in folder_project.config["datasets"]["mine"].items() if k != "videos_dir"}
    dataset |= {"features_dir": "arrays", "streams": {"anything": {"role": "cbp"}}}
    folder_project.change("datasets.arrays", dataset)
    done = folder_project.run("results/arrays_map.json")
    assert done.returncode == 0, done.stderr
    assert "layout joint" in (folder_project.folder / "results/arrays/logs/probe/0000-of-0004.log").read_text()
    mine, arrays = (
        json.loads((folder_project.folder / f"results/{n}_map.json").read_text())["mAP"] for n in ("mine", "arrays")
    )
    # An array does not say that the last snippet of a video is partial.
    assert mine == pytest.approx(arrays, abs=0.1)
    assert folder_project.planned("results/arrays_map.json", "results/mine_map.json") == {}


def test_a_run_may_read_some_of_the_streams(folder_project: Project) -> None:
    folder_project.change("runs.rgb_alone", {"method": "ridge", "supervision": "weak", "cbp_streams": ["rgb"]})
    folder_project.change("datasets.mine.runs", ["stpn_sparse", "rgb_alone"])
    table = "results/mine_table.md"
    rules = folder_project.planned(table)
    assert rules.keys() == {"cluster", "train", "localize", "evaluate", "score_perfect_curves", "summarize"}
    done = folder_project.run(table)
    assert done.returncode == 0, done.stderr
    assert "ridge (linear), cbp: rgb" in (folder_project.folder / table).read_text()
    folder_project.change("runs.rgb_alone.caf", {})
    assert "runs.rgb_alone.caf: a switch of clip_ae" in folder_project.error_line(table)


def test_own_videos_a_number_left_open_names_and_a_few_examples(folder_project: Project) -> None:
    """No annotation reaches clustering, training or localization; the examples score what came of it."""
    demo = folder_project.config["datasets"]["demo"]["streams"]
    folder_project.change("datasets.mine.annotations", None)
    folder_project.change("datasets.mine.streams", {stream: demo[stream] for stream in ("rgb", "flow", "clip")})
    folder_project.change("datasets.mine.classes", "auto")
    folder_project.change("datasets.mine.vocabulary", "workflow/vocabularies/everyday.txt")
    done = folder_project.run("results/mine_detections.json")
    assert done.returncode == 0, done.stderr
    before = (folder_project.folder / "results/mine_detections.json").read_bytes()
    names = json.loads(before)["external_data"]["names"]
    words = {word.name for word in read_vocabulary(folder_project.folder / "workflow/vocabularies/everyday.txt")}
    assert names
    assert all(guess["name"] in words for guesses in names.values() for guess in guesses)
    folder_project.change("datasets.mine.partial_annotations", "mine/annotations.json")
    done = folder_project.run("results/mine_map.json", "results/mine_detections.json", "results/mine_report.html")
    assert done.returncode == 0, done.stderr
    assert (folder_project.folder / "results/mine_detections.json").read_bytes() == before
    assert json.loads((folder_project.folder / "results/mine_map.json").read_text())["mAP"]
    assert "Number of clusters" in (folder_project.folder / "results/mine_report.html").read_text()
    assert "0 out of date" in folder_project.run("verify", "--forcerun", "verify").stdout


def test_no_annotations_at_all(folder_project: Project) -> None:
    folder_project.change("datasets.mine.annotations", None)
    done = folder_project.run("results/mine_detections.json", "results/mine_report.html")
    assert done.returncode == 0, done.stderr
    found = json.loads((folder_project.folder / "results/mine_detections.json").read_text())["results"]
    assert len(found) == 9
    assert {d["label"].split("-")[0] for listed in found.values() for d in listed} == {"cluster"}
