"""Inputs of unusual size: thousands of classes and of files, names that fill a disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from clip_ae.cli import main

EVALUATE = ["evaluate", "--subset", "validation", "--ground-truth", "gt.json", "--detections", "det.json"]


def write_annotations(labels: list[str]) -> None:
    """A video for each class, with one annotated action and one detection of it."""
    truth: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for i, label in enumerate(labels):
        annotations = [{"label": label, "segment": [1, 2]}]
        truth[f"v{i}"] = {"subset": "validation", "duration": 10, "annotations": annotations}
        found[f"v{i}"] = [{"label": label, "score": 0.5, "segment": [1.0, 2.0]}]
    Path("gt.json").write_text(json.dumps({"database": truth}))
    Path("det.json").write_text(json.dumps({"results": found}))


@pytest.mark.slow
def test_five_thousand_classes_are_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_annotations([f"class {i}" for i in range(5000)])
    assert main([*EVALUATE, "--out", "o.json"]) == 0
    scores = json.loads(Path("o.json").read_text())
    assert set(scores["mAP"].values()) == {1.0}


@pytest.mark.slow
@pytest.mark.parametrize(("count", "length"), [(1, 300_000_000), (30_000, 10_000)])
def test_class_names_of_300_mb_end_in_one_line(
    count: int, length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_annotations([f"{i:05}".ljust(length, "x") for i in range(count)])
    assert main([*EVALUATE, "--out", "o.json"]) == 2
    message = capsys.readouterr().err
    assert f'annotation 0: "label" has {length:,} characters; use at most 1,000' in message
    assert len(message) < 300
    assert not Path("o.json").exists()


@pytest.mark.slow
def test_ten_thousand_tiny_feature_files_are_imported(tmp_path: Path) -> None:
    (tmp_path / "rgb").mkdir()
    rows = np.ones((2, 4), np.float32)
    for i in range(10_000):
        np.save(tmp_path / f"rgb/v{i:05}.npy", rows)
    out = tmp_path / "dataset"
    assert main(["import", str(tmp_path), "--out", str(out)]) == 0
    assert pq.read_metadata(out / "videos.parquet").num_rows == 10_000
    assert pq.read_metadata(out / "failures.parquet").num_rows == 0
