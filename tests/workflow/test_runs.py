"""The whole workflow on a tiny demo world: which jobs run, and which run again after a change."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clip_ae.data.parquet import read_rows
from tests.workflow.conftest import Project, bare_environment

CLUSTER_AND_TRAIN = {"cluster": 2, "train": 2}
AFTER_TRAINING = {"localize": 1, "evaluate": 1, "diagnose": 1, "summarize": 2, "report": 1}
# Clusters of round 0 are the same: only the second round clusters again.
RETRAIN = {"cluster": 1, "train": 2, **AFTER_TRAINING}
STREAM_CHANGED = {"extract": 2, "catalog": 1, "diagnose": 1, "summarize": 2, "report": 1}
# Clusters of round 0 are made from rgb and flow alone.
CLIP_OR_AUDIO_CHANGED = {**STREAM_CHANGED, **RETRAIN}
SEARCH_JOBS = {"index": 1, "find_moments": 1}


def test_everything_is_made(finished: Project) -> None:
    results = finished.folder / "results"
    scores = json.loads((results / "demo_map.json").read_text())
    assert {
        "dataset",
        "run",
        "mAP",
        "average",
        "per_class",
        "mapping",
        "counts",
        "seeds",
        "protocol",
        "provenance",
    } <= scores.keys()
    assert list(scores["mAP"]) == ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]
    assert all(0 <= value <= 1 for value in scores["mAP"].values())
    detections = json.loads((results / "demo_detections.json").read_text())
    assert set(detections) == {"version", "results", "external_data"}
    page = (results / "demo_report.html").read_text()
    for section in ("Scores", "Clusters", "Errors", "Videos", "Training", "Sources"):
        assert f"<h2>{section}</h2>" in page
    assert page.count("losses over steps, before their weights") == 2
    for stream in ("rgb", "flow", "clip", "audio"):
        assert len(list((results / "demo/features" / stream).glob("*.parquet"))) == 2


def test_snakemakes_own_report_has_the_results_with_their_captions(finished: Project, tmp_path: Path) -> None:
    done = finished.run("--report", str(tmp_path / "page.html"))
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "Scores, errors, timelines and training curves of demo" in page
    assert "Error analysis of the main run of demo" in page


def test_the_page_has_path_loudness_and_ap_of_each_video(finished: Project) -> None:
    results = finished.folder / "results"
    text = (results / "demo_report.html").read_text()
    page_data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    ap_by_video = json.loads((results / "demo_diagnosis.json").read_text())["videos"]
    silent = {row["video_id"] for row in read_rows(results / "demo/videos.parquet") if not row["has_audio"]}
    assert ap_by_video.keys() - silent
    assert {v["id"] for v in page_data["videos"]} == ap_by_video.keys()
    for video in page_data["videos"]:
        assert (results / video["file"]).is_file()
        assert video["ap"] == pytest.approx(ap_by_video[video["id"]], abs=1e-4)
        if video["id"] in silent:
            assert video["loudness"] is None
        else:
            assert len(base64.b64decode(video["loudness"])) == len(base64.b64decode(video["attention"])) > 1
            assert any(base64.b64decode(video["loudness"]))


def test_again_there_is_nothing_to_do(finished: Project) -> None:
    done = finished.run()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_logs_and_benchmarks_are_written(finished: Project) -> None:
    results = finished.folder / "results"
    assert "snippets" in (results / "demo/logs/extract/rgb/0000-of-0002.log").read_text()
    assert list(results.rglob("benchmarks/**/*.tsv"))


@pytest.mark.parametrize(
    ("key", "value", "jobs"),
    [
        ("runtime.decoder_timeout_s", 30.0, {}),
        ("runtime.num_workers", 1, {}),
        ("runtime.tensorboard", True, {}),
        (
            "datasets.demo.evaluation.chance_permutations",
            3,
            {"evaluate": 1, "diagnose": 1, "summarize": 1, "report": 1},
        ),
        ("datasets.demo.localization.outer_margin", 0.5, AFTER_TRAINING),
        ("datasets.demo.training.learning_rate", 0.01, RETRAIN),
        # The default target trains the main run (clip_ae) only.
        ("runs.stpn_sparse.clustering", "kmeans", {}),
        ("runs.clip_ae.losses", {"ins_dis": 0.5}, RETRAIN),
        ("runs.clip_ae.clustering", "kmeans", {**CLUSTER_AND_TRAIN, **AFTER_TRAINING}),
        ("datasets.demo.streams.clip.frames", 2, {**CLIP_OR_AUDIO_CHANGED, **SEARCH_JOBS}),
        ("datasets.demo.streams.rgb.batch_size", 4, {**STREAM_CHANGED, **CLUSTER_AND_TRAIN, **AFTER_TRAINING}),
        ("weights.demo_audio.licence", "MIT-0", {"pretrain": 1, "weights": 1, **CLIP_OR_AUDIO_CHANGED}),
        ("datasets.demo.rounds", 1, AFTER_TRAINING),
        # The error analysis reads the first seed only, which does not change.
        (
            "datasets.demo.seeds",
            [0, 1],
            {k: n for k, n in {**CLUSTER_AND_TRAIN, **AFTER_TRAINING}.items() if k != "diagnose"},
        ),
        (
            "datasets.demo.demo.seed",
            1,
            {
                "make_demo": 1,
                "probe": 2,
                **STREAM_CHANGED,
                "extract": 8,
                **CLUSTER_AND_TRAIN,
                **AFTER_TRAINING,
                **SEARCH_JOBS,
            },
        ),
        (
            "datasets.demo.grid.stride",
            8,
            {"probe": 2, **STREAM_CHANGED, "extract": 8, **CLUSTER_AND_TRAIN, **AFTER_TRAINING, **SEARCH_JOBS},
        ),
        ("datasets.demo.vocabulary", None, {"report": 1}),
        ("datasets.demo.vocabulary", "workflow/vocabularies/everyday.txt", {"find_moments": 1, "report": 1}),
    ],
    ids=lambda v: str(v) if isinstance(v, str) else "",
)
def test_a_changed_key_runs_just_what_depends_on_it(
    tiny: Project, key: str, value: object, jobs: dict[str, int]
) -> None:
    tiny.change(key, value)
    assert tiny.planned() == jobs


def test_swapped_values_run_again(tiny: Project) -> None:
    training = tiny.config["datasets"]["demo"]["training"]
    tiny.change("datasets.demo.training.snippets", training["steps"])
    tiny.change("datasets.demo.training.steps", training["snippets"])
    assert tiny.planned() == RETRAIN


def test_reordered_keys_and_comments_change_nothing(tiny: Project) -> None:
    tiny.config = dict(reversed(tiny.config.items()))
    tiny.rewrite("config.yaml", lambda text: "# a comment\n" + text)
    for module in ("stages/train.py", "stages/extract.py", "encoders/networks/i3d.py", "localizers/caf.py"):
        tiny.rewrite(f"clip_ae/{module}", lambda text: text.rstrip("\n") + "\n\n# a comment\n")
    assert tiny.planned() == {}


@pytest.mark.parametrize(
    ("module", "jobs"),
    [
        ("encoders/streams/vggish.py", CLIP_OR_AUDIO_CHANGED),
        (
            "encoders/flows/dis.py",
            {"pretrain": 1, "weights": 1, **STREAM_CHANGED, **CLUSTER_AND_TRAIN, **AFTER_TRAINING},
        ),
        ("encoders/flows/tvl1.py", {}),
        ("localizers/heads/ugct.py", RETRAIN),
        # The default target trains the main run (clip_ae) only.
        ("localizers/heads/stpn.py", {}),
        ("localizers/caf.py", RETRAIN),
        ("losses/decor.py", RETRAIN),
        ("clustering/spectral.py", {**CLUSTER_AND_TRAIN, **AFTER_TRAINING}),
        # Spectral clustering of very many videos ends in k-means too.
        ("clustering/kmeans.py", {**CLUSTER_AND_TRAIN, **AFTER_TRAINING}),
        ("scoring/mapping.py", {"evaluate": 1, "diagnose": 1, "summarize": 1, "report": 1}),
        ("pages/charts.py", {"report": 1}),
        ("proposals/moments.py", {"find_moments": 1, "report": 1}),
        ("language/text_query.py", {"find_moments": 1, "report": 1}),
        ("data/snippet_index.py", {"index": 1, "find_moments": 1, "report": 1}),
        ("scoring/recall.py", {}),
        ("cli.py", {}),
    ],
)
def test_edited_code_runs_just_what_uses_it(tiny: Project, module: str, jobs: dict[str, int]) -> None:
    tiny.rewrite(f"clip_ae/{module}", lambda text: text.rstrip("\n") + "\n\nEDITED = 1\n")
    assert tiny.planned() == jobs


def test_untracked_code_runs_nothing_again(tiny: Project) -> None:
    tiny.change("rerun_on_code_change", False)
    # Turning tracking off changes a parameter of every stage's rule once; `--touch` accepts that. Later edits then run
    # nothing.
    assert tiny.run("--touch").returncode == 0
    tiny.rewrite("clip_ae/localizers/caf.py", lambda text: text.rstrip("\n") + "\n\nEDITED = 1\n")
    assert tiny.planned() == {}


def test_verify_names_what_is_stale_when_snakemake_has_forgotten(tiny: Project) -> None:
    shutil.rmtree(tiny.folder / ".snakemake")
    assert "0 out of date" in tiny.run("verify").stdout
    tiny.change("datasets.demo.streams.clip.frames", 2)
    done = tiny.run("verify")
    assert done.returncode != 0
    stale = [line.split(":")[0] for line in done.stdout.splitlines() if ": spec changed" in line]
    places = ("failures", "features")
    assert stale == [f"results/demo/{place}/clip/000{i}-of-0002.parquet" for place in places for i in (0, 1)]
    assert "spec changed: encoder.frames" in done.stdout


def test_verify_reads_second_outputs_too(tiny: Project) -> None:
    (tiny.folder / "results/demo/failures.parquet").write_bytes(b"junk")
    assert "results/demo/failures.parquet: no provenance that can be read" in tiny.run("verify").stdout


def test_a_stage_repeated_by_hand_gives_the_same_bytes(finished: Project, tmp_path: Path) -> None:
    """Any job can be run again from what --printshellcmds shows."""
    done = finished.run("-n", "--printshellcmds", "--forcerun", "cluster")
    (command,) = {
        line[line.index("python -m") :]
        for line in (done.stdout + done.stderr).splitlines()
        if "clip_ae cluster " in line and "--out results/demo/runs/clip_ae/seed-0/round-0/" in line
    }
    out = "results/demo/runs/clip_ae/seed-0/round-0/labels.parquet"
    command = command.replace(f"--out {out}", f"--out {tmp_path}/labels.parquet").split(" > ")[0]
    environment = bare_environment()
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    subprocess.run(["bash", "-c", command], cwd=finished.folder, env=environment, check=True)
    assert (tmp_path / "labels.parquet").read_bytes() == (finished.folder / out).read_bytes()


def test_a_supervised_run_has_one_round_a_page_and_a_table_row(tiny: Project) -> None:
    tiny.change("datasets.demo.runs", ["clip_ae", "stpn_weak"])
    tiny.change("runs.stpn_weak", {"method": "stpn", "supervision": "weak"})
    tiny.change("datasets.demo.main_run", "stpn_weak")
    tiny.change("runtime.tensorboard", True)
    outputs = [f"results/demo_{name}" for name in ("report.html", "table.md", "ablation.md", "map.json")]
    done = tiny.run(*outputs, "results/demo_detections.json")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tiny.folder / "results/demo/runs/stpn_weak/seed-0"
    assert [p.name for p in sorted(folder.glob("round-*"))] == ["round-0"]
    assert json.loads((folder / "map.json").read_text())["rounds"] == []
    assert list((tiny.folder / "results/demo/tensorboard/stpn_weak/seed-0/round-0").glob("events.*"))
    table = (tiny.folder / "results/demo_table.md").read_text()
    assert "| weak " in table
    assert "| unsupervised " in table
    assert "0 out of date" in tiny.run("verify").stdout


def test_a_copy_with_new_times_has_nothing_to_do(finished: Project, tmp_path: Path) -> None:
    """`cp -r` gives every file a new time, in no order: inputs are compared by content."""
    copy = tmp_path / "project"
    subprocess.run(["cp", "-r", str(finished.folder), str(copy)], check=True)
    files = sorted(path for path in (copy / "results").rglob("*") if path.is_file())
    for seconds, path in enumerate(reversed(files)):
        os.utime(path, (1.7e9 + seconds, 1.7e9 + seconds))
    project = Project(copy)
    assert project.planned() == {}
    model = copy / "results/demo/runs/clip_ae/seed-0/round-1/model.safetensors"
    model.write_bytes(model.read_bytes() + b"x")
    assert project.planned()["localize"] == 1


def test_a_run_prints_one_line_a_job_and_writes_the_rest_to_logs(tiny: Project) -> None:
    done = tiny.run("results/demo_map.json", "--forcerun", "cluster")
    lines = done.stderr.splitlines()
    assert "cluster, 2 jobs: forced" in lines
    jobs = [line for line in lines if line.startswith("[")]
    assert re.fullmatch(r"\[1/\d+\] cluster demo clip_ae seed 0 round 0, \d+\.\d s.*", jobs[0])
    assert len(lines) < 2 * len(jobs) + 7
    assert "train: 6/6" in (tiny.folder / "results/demo/logs/train/clip_ae/seed-0/round-0.log").read_text()
