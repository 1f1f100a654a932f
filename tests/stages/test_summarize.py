"""The headline file: mean and sd over seeds, in the promised form."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from clip_ae.core.config import MAPPINGS
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Record
from clip_ae.core.specs import SummarizeSpec
from clip_ae.core.typed import plain
from clip_ae.core.types import Detection, Failure, VideoInfo
from clip_ae.io.detections import read_detections, write_detections
from clip_ae.io.parquet import FAILURES, VIDEOS, write_rows
from clip_ae.io.records import read_record
from clip_ae.stages import summarize

SEEDS = (0, 3)
RECORD = Record("evaluate", {}, "code")
KEYS = {"dataset", "run", "mAP", "average", "per_class", "mapping", "counts", "seeds", "protocol", "provenance"}


def scored(value: float) -> dict[str, Any]:
    scores = {"mAP": {"0.1": value, "0.5": value / 2}, "average": {"0.1:0.5": 0.75 * value}}
    rules = {name: {**scores, "weights": {}} for name in MAPPINGS}
    return {
        **scores,
        "per_class": {"jump": {"0.1": value, "0.5": value / 2}},
        "mapping": {"headline": "soft_majority", "contingency": {}, **rules},
        "chance": {"mAP": {"0.1": 0.1, "0.5": 0.0}, "average": {"0.1:0.5": 0.05}, "shuffles": 20},
        "clusters": {"purity": value},
        "counts": {"videos": 2, "detections": round(10 * value)},
        "protocol": "words",
        "provenance": plain(RECORD),
    }


@pytest.fixture
def made(tmp_path: Path) -> Path:
    rows = [
        vars(VideoInfo("a", "a.mp4")) | {"subset": "training"},
        vars(VideoInfo("b", "b.mp4", status="failed")) | {"subset": "training"},
        vars(VideoInfo("c", "", status="missing")) | {"subset": "validation"},
    ]
    write_rows(tmp_path / "videos.parquet", VIDEOS, rows, RECORD)
    write_rows(tmp_path / "failures.parquet", FAILURES, [Failure("b", "probe", "empty", "m")], RECORD)
    for seed, value in zip(SEEDS, (0.4, 0.6), strict=True):
        folder = tmp_path / "runs/stpn" / f"seed-{seed}"
        write_detections(folder / "detections.json", [Detection("a", "cluster-00", value, 0, 1)], RECORD)
        (folder / "map.json").write_text(json.dumps(scored(value)))
    return tmp_path


def run(made: Path, summary: str) -> dict[str, Any]:
    out = made / f"x_{summary}.json"
    summarize.run(
        SummarizeSpec("x", "stpn", SEEDS), summary=summary, runs=made / "runs", videos=made / "videos.parquet",
        failures=made / "failures.parquet", out=out,
    )  # fmt: skip
    content: dict[str, Any] = json.loads(out.read_text())
    return content


def test_means_and_deviations_over_the_seeds(made: Path) -> None:
    content = run(made, "map")
    assert content.keys() >= KEYS
    assert content["mAP"] == {"0.1": pytest.approx(0.5), "0.5": pytest.approx(0.25)}
    assert content["average"]["0.1:0.5"] == pytest.approx(0.375)
    assert content["sd"]["mAP"]["0.1"] == pytest.approx(statistics.stdev([0.4, 0.6]))
    assert content["per_class"]["jump"]["0.5"] == pytest.approx(0.25)
    assert content["mapping"]["hungarian"]["mAP"]["0.1"] == pytest.approx(0.5)
    assert content["seeds"]["3"]["clusters"] == {"purity": 0.6}
    assert (content["dataset"], content["run"], content["protocol"]) == ("x", "stpn", "words")


def test_every_video_is_counted(made: Path) -> None:
    counts = run(made, "map")["counts"]
    assert (counts["videos_ok"], counts["videos_failed"], counts["videos_missing"], counts["failures"]) == (1, 1, 1, 1)
    assert counts["detections"] == 5


def test_detections_are_those_of_the_first_seed(made: Path) -> None:
    run(made, "detections")
    assert read_detections(made / "x_detections.json") == read_detections(made / "runs/stpn/seed-0/detections.json")
    assert read_record(made / "x_detections.json").stage == "summarize"


def test_an_unknown_summary_is_named(made: Path) -> None:
    with pytest.raises(UserError, match="expected map or detections"):
        run(made, "table")
