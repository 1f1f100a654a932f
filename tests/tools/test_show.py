import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clip_ae.cli import main
from clip_ae.core.types import Detection, Instance
from clip_ae.pages.timeline_text import render_timeline

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def show(capsys, *words):
    assert main(["show", *map(str, words)]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def files(tmp_path):
    detections = [
        {"label": "run", "score": s, "segment": [a, b]} for s, a, b in ((0.2, 0, 5), (0.8, 10, 20), (0.4, 5, 6))
    ]
    (tmp_path / "det.json").write_text(json.dumps({"results": {"v": detections, "w": detections[:1]}}))
    entry = {"subset": "test", "duration": 40.0, "annotations": [{"label": "run", "segment": [10, 20]}]}
    (tmp_path / "gt.json").write_text(json.dumps({"database": {"v": entry}}))
    return tmp_path


def test_detections_are_drawn_best_first_below_the_annotations(files, capsys):
    head, axis, truth, *rows = show(
        capsys, files / "det.json", "v", "--ground-truth", files / "gt.json", "--width", 80, "--top", 2
    )
    assert head == "v, 40.0 s, 2 of 3 detections"
    assert axis.split() == ["|0", "s", "|10", "s", "|20", "s", "|30", "s", "|40", "s"]
    assert [row.split()[:2] for row in rows] == [["run", "0.80"], ["run", "0.40"]]
    assert truth.index("█") == rows[0].index("█") == axis.index("|10")
    assert truth.count("█") == rows[0].count("█") == axis.index("|20") - axis.index("|10")
    assert set(rows[1].split()[2]) == {"▓"}


def test_without_ground_truth_the_timeline_ends_with_the_last_detection(files, capsys):
    head, *_ = show(capsys, files / "det.json", "v")
    assert head == "v, 20.0 s, 3 of 3 detections"


def test_an_unknown_video_is_refused(files, capsys):
    assert main(["show", str(files / "det.json"), "x"]) == 2
    assert capsys.readouterr().err.endswith("det.json: no video 'x'; known: v, w\n")


@pytest.mark.parametrize("width", [10, 60, 200])
@pytest.mark.parametrize("duration", [0.5, 61.0, 20_000.0])
def test_all_spans_are_visible_and_no_line_is_too_wide(width, duration):
    detections = [Detection("v", "run", 0.5, 0, duration / 1e4), Detection("v", "run", 0.5, duration, duration + 9)]
    axis, *rows = render_timeline(duration, [Instance("run", 0, duration)], detections, width)
    left = len("run (annotated)") + 2
    assert axis.strip().startswith("|0 s")
    assert all("█" in row and len(row) <= max(width, left + 20) for row in rows)


def test_a_score_of_zero_has_the_lightest_shade():
    _, row = render_timeline(10, [], [Detection("v", "run", 0.0, 0, 5)], 60)
    assert "░" in row


def test_a_huge_duration_is_drawn_quickly():
    axis, _ = render_timeline(1e12, [], [Detection("v", "run", 0.5, 0, 1e12)], 80)
    assert axis.startswith(" ")


def test_a_closed_pipe_ends_without_an_error(files):
    many = [{"label": "run", "score": 0.5, "segment": [k, k + 1]} for k in range(20_000)]
    (files / "many.json").write_text(json.dumps({"results": {"v": many}}))
    command = f"{sys.executable} -m clip_ae show many.json v --top 20000 | head -1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=files, capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    assert done.stdout.startswith("v, 20000.0 s")
    assert done.stderr == ""


@pytest.mark.parametrize("words", [("--top", "0"), ("--width", "-5"), ("--width", "100000")])
def test_impossible_sizes_are_refused(files, capsys, words):
    assert main(["show", str(files / "det.json"), "v", *words]) == 2
    assert "expected --top of at least 1, and --width from 0 to 1000" in capsys.readouterr().err
