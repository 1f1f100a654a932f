"""The bound of perfect curves: from annotations and video lengths alone, and labelled so."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clip_ae.core.config.schema import Evaluation
from clip_ae.core.config.specs import ScorePerfectCurvesSpec
from clip_ae.core.config.training import Localization
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import Failure, VideoInfo
from clip_ae.data.parquet import FAILURES_SCHEMA, VIDEOS_SCHEMA, write_rows
from clip_ae.scoring.bounds import PERFECT_CURVES
from clip_ae.stages import score_perfect_curves

SPEC = ScorePerfectCurvesSpec(evaluation=Evaluation(bootstrap_samples=0, chance_permutations=2))
ACTIONS = {
    "a": [("jump", 3.0, 9.1), ("run", 12.3, 15.0)],
    "b": [("run", 0.0, 5.0)],
    "c": [("jump", 4.0, 6.0)],
    "idle": [],
    "train": [("swim", 1.0, 2.0)],
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    database = {
        name: {
            "subset": "training" if name == "train" else "validation",
            "duration": 20.0,
            "annotations": [{"label": label, "segment": [start, stop]} for label, start, stop in actions],
        }
        for name, actions in ACTIONS.items()
    }
    (tmp_path / "annotations.json").write_text(json.dumps({"database": database}))
    infos = [VideoInfo(name, f"{name}.mp4", duration=20.0, snippets=31) for name in ACTIONS if name != "c"]
    infos.append(VideoInfo("c", "", status="missing"))
    rows = [vars(info) | {"subset": "validation"} for info in infos]
    write_rows(tmp_path / "videos.parquet", VIDEOS_SCHEMA, rows, Provenance("catalog", {}, "code"))
    return {name: tmp_path / name for name in ("annotations.json", "videos.parquet", "map.json")}


def score(files: dict[str, Path], spec: ScorePerfectCurvesSpec = SPEC) -> dict[str, Any]:
    score_perfect_curves.run(
        spec, ground_truth=files["annotations.json"], catalog=files["videos.parquet"], out=files["map.json"]
    )
    content: dict[str, Any] = json.loads(files["map.json"].read_text())
    return content


def test_true_actions_are_found_in_the_videos_that_are_there(files: dict[str, Path]) -> None:
    content = score(files)
    assert content["per_class"]["run"]["0.5"] == 1.0
    # One of two: the other is in a video that is missing, so a method cannot find it either.
    assert content["per_class"]["jump"]["0.5"] == pytest.approx(0.5, abs=0.01)
    assert content["counts"]["videos_with_detections"] == 2
    assert set(content["per_class"]) == {"jump", "run"}, "classes of the test videos"


def test_the_file_says_that_it_is_no_method(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    content = score(files)
    assert content["method"] == PERFECT_CURVES
    assert "uses the annotations of the test videos" in PERFECT_CURVES
    assert capsys.readouterr().out.startswith(PERFECT_CURVES)
    assert content["provenance"]["inputs"].keys() == {"annotations", "videos"}


def test_the_localization_of_the_dataset_is_used(files: dict[str, Path]) -> None:
    best = score(files)["average"]
    whole = score(files, replace(SPEC, localization=Localization(segments="whole_video")))["average"]
    smooth = score(files, replace(SPEC, localization=Localization(smoothing_s=10.0)))["average"]
    for name, value in best.items():
        assert whole[name] < value
        assert smooth[name] < value


def test_smoothing_by_rule_is_none(files: dict[str, Path]) -> None:
    assert score(files)["mAP"] == score(files, replace(SPEC, localization=Localization(smoothing_s=0.0)))["mAP"]


def test_a_subset_without_actions_is_refused(files: dict[str, Path]) -> None:
    data = json.loads(files["annotations.json"].read_text())
    data["database"]["idle"]["subset"] = "holiday"
    files["annotations.json"].write_text(json.dumps(data))
    with pytest.raises(UserError, match="subset 'holiday' has no annotated action to score against"):
        score(files, replace(SPEC, test_subset="holiday"))


def test_a_catalog_that_is_another_table_is_one_line(files: dict[str, Path]) -> None:
    write_rows(
        files["videos.parquet"], FAILURES_SCHEMA, [Failure("a", "probe", "empty", "m")], Provenance("catalog", {}, "c")
    )
    with pytest.raises(RefusedInput, match=r"videos\.parquet: not a table of this project"):
        score(files)
