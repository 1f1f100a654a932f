"""The typed functions behind the rules: inputs, options, digests and targets."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from clip_ae.core import paths
from clip_ae.core.config.checks import load_config
from clip_ae.core.config.schema import Config
from clip_ae.core.config.stages import STAGES, find_output, workflow_order
from clip_ae.core.errors import UserError
from clip_ae.workflow.dataset_files import DatasetFiles
from clip_ae.workflow.rule_digests import RuleDigests
from clip_ae.workflow.rule_inputs import RuleInputs
from clip_ae.workflow.rule_options import RuleOptions, option, options_of
from clip_ae.workflow.targets import check_targets
from tests.builders import shipped_config, video_dataset
from tests.data.feature_sets import WRITERS


def config_with(**datasets: dict[str, Any]) -> Config:
    data = shipped_config()
    data["datasets"].update(datasets)
    return load_config(data)


def files_of(config: Config) -> dict[str, DatasetFiles]:
    return {name: DatasetFiles(name, data) for name, data in config.datasets.items()}


@pytest.fixture(scope="module")
def config() -> Config:
    return config_with()


@pytest.fixture(scope="module")
def inputs(config: Config) -> RuleInputs:
    return RuleInputs(config, files_of(config))


def test_a_run_on_adapted_features_reads_adapted_rgb_and_flow_and_extracted_others(inputs: RuleInputs) -> None:
    paths = inputs.run_features({"dataset": "demo", "run": "clip_ae_post"})
    assert [p for p in paths if "/adapters/post_pretrained/features/rgb/" in p]
    assert [p for p in paths if p.startswith("results/demo/features/clip/")]
    assert not [p for p in paths if p.startswith("results/demo/features/rgb/")]


def test_the_first_round_reads_no_model_and_later_ones_the_previous(inputs: RuleInputs) -> None:
    wildcards = {"dataset": "demo", "run": "ugct", "seed": "0"}
    assert inputs.previous_model({**wildcards, "round": "0"}) == []
    (model,) = inputs.previous_model({**wildcards, "round": "2"})
    assert model == "results/demo/runs/ugct/seed-0/round-1/model.safetensors"


def test_a_supervised_run_has_one_round(inputs: RuleInputs) -> None:
    every_round = inputs.every_round("{dataset}/{run}/{round}")
    assert every_round({"dataset": "demo", "run": "ugct_weak"}) == ["demo/ugct_weak/0"]
    assert len(every_round({"dataset": "demo", "run": "ugct"})) == 4


def test_a_dataset_without_annotations_has_no_scores() -> None:
    config = config_with(mine=video_dataset("x"))
    inputs = RuleInputs(config, files_of(config))
    with pytest.raises(UserError, match=r"use the target results/mine_detections\.json"):
        inputs.summary_sources({"dataset": "mine", "summary": "table.md"})
    assert inputs.main_result({"dataset": "mine"}) == "results/mine_detections.json"


def test_result_tables_show_the_bound_and_the_times_of_training(config: Config, inputs: RuleInputs) -> None:
    options = RuleOptions(config, files_of(config), inputs)
    path = "results/demo/perfect_curves_map.json"
    for summary in paths.SUMMARIES:
        wildcards = {"dataset": "demo", "summary": summary}
        is_table = summary in ("table.md", "table.csv")
        assert inputs.perfect_curves(wildcards) == ([path] if is_table else [])
        assert options.perfect_curves(wildcards, None) == (f"--perfect-curves {path}" if is_table else "")
        times = "--training-times=results/demo/benchmarks/train"
        assert options.training_times(wildcards, None) == (times if is_table else "")


def test_run_time_settings_become_options(config: Config, inputs: RuleInputs) -> None:
    runtime = RuleOptions(config, files_of(config), inputs).runtime("num_workers", "decoder_timeout_s")
    assert runtime({}, None) == "--num-workers 2 --decoder-timeout-s 60.0"


def test_options_quote_and_vanish_without_a_value() -> None:
    assert option("videos", "a b'c") == """--videos='a b'"'"'c'"""
    assert option("videos", "-vids") == "--videos=-vids"
    assert option("videos", None) == ""
    assert options_of("model", []) == ""
    assert options_of("models", ["a", "b"]) == "--models a b"


def test_moving_or_touching_videos_changes_only_their_own_shard(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e"):
        (tmp_path / f"{name}.mp4").write_bytes(b"x")
    config = config_with(mine=video_dataset(str(tmp_path), shards=4))

    def digests() -> list[str]:
        rules = RuleDigests(config, files_of(config))
        return [rules.source_files({"dataset": "mine", "shard": f"{i:04}-of-0004"}) for i in range(4)]

    before = digests()
    (tmp_path / "a.mp4").write_bytes(b"longer")
    assert sum(one != other for one, other in zip(before, digests(), strict=True)) == 1


@pytest.mark.parametrize("name", ["npz", "hdf5 id", "wtalc", "joint npy", "suffix"])
def test_changing_features_runs_the_jobs_that_read_them(tmp_path: Path, name: str) -> None:
    """Every job reads a file of many videos; a file of one video belongs to one job."""
    source = WRITERS[name][1](tmp_path / "features")
    changed = source if source.is_file() else sorted(source.glob("*.npy"))[0]
    dataset = {
        "features_dir": str(source),
        "streams": {"rgb": {}, "flow": {}},
        "classes": 2,
        "runs": ["stpn"],
        "shards": 3,
    }
    config = config_with(mine=dataset | {"main_run": "stpn"})

    def digests() -> list[str]:
        rules = RuleDigests(config, files_of(config))
        return [rules.source_files({"dataset": "mine", "shard": f"{i:04}-of-0003"}) for i in range(3)]

    before = digests()
    assert digests() == before
    os.utime(changed, (1, 1))
    num_changed = sum(one != other for one, other in zip(before, digests(), strict=True))
    assert num_changed == (1 if name in ("joint npy", "suffix") else 3)


def test_a_layout_is_for_features_only() -> None:
    with pytest.raises(UserError, match=r"mine\.layout: only for a `features_dir` source"):
        config_with(mine=video_dataset("x", layout="joint"))
    dataset = {"features_dir": "x", "streams": {"rgb": {}}, "classes": 2, "runs": ["stpn"], "main_run": "stpn"}
    with pytest.raises(UserError, match="did you mean 'suffix'"):
        config_with(mine=dataset | {"layout": "sufix"})


def test_provenance_does_not_depend_on_modification_times(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    data = config_with(mine=video_dataset(str(tmp_path))).datasets["mine"]
    shard = next(
        f"{i:04}-of-0008" for i in range(8) if list(DatasetFiles("mine", data).files_of_shard(f"{i:04}-of-0008"))
    )
    before = [DatasetFiles("mine", data).source_files_digest(shard, with_mtime=m) for m in (True, False)]
    os.utime(tmp_path / "a.mp4", (1, 1))
    after = [DatasetFiles("mine", data).source_files_digest(shard, with_mtime=m) for m in (True, False)]
    assert before[0] != after[0]
    assert before[1] == after[1]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("results/demo_mapp.json", "no rule makes this file; did you mean 'results/demo_map.json'?"),
        ("result/demo_map.json", "no rule makes this file; did you mean 'results/demo_map.json'?"),
        ("results/mine_report.html", "the config has no dataset 'mine'; add it to config.yaml"),
        ("results/mine/videos.parquet", "the config has no dataset 'mine'; add it to config.yaml"),
        (
            "results/dmeo_map.json",
            "the config has no dataset 'dmeo'; add it to config.yaml, or did you mean 'results/demo_map.json'?",
        ),
    ],
)
def test_a_target_that_no_rule_makes_ends_in_a_line(config: Config, word: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"^{re.escape(f'{word}: {message}')}$"):
        check_targets(["--cores", "8", "-n", word], config)


def test_targets_options_and_existing_files_are_no_mistakes(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "result").mkdir()
    (tmp_path / "result/demo_map.json").touch()
    check_targets(["-n", "results/demo_map.json", "results/demo/videos.parquet", "verify", "--config", "a=1"], config)
    check_targets(["./results/demo_map.json", "result/demo_map.json", "--report", "result/demo_report.html"], config)
    check_targets(["--cleanup-metadata", "results/mine/videos.parquet"], config)


def test_every_output_belongs_to_the_stage_that_declares_it() -> None:
    for stage in STAGES.values():
        for pattern in stage.outputs:
            found = find_output(
                pattern.format(
                    dataset="d", run="r", seed="0", round="1", name="n", space="clip", adapter="a", stream="rgb",
                    stage="probe", shard="0000-of-0002", summary="map.json",
                )
            )  # fmt: skip
            assert found is not None, pattern
            assert found[0] == stage.name


def test_outputs_sort_in_the_order_of_the_workflow() -> None:
    paths = ["results/d_report.html", "results/d/videos.parquet", "results/weights/n.safetensors", "elsewhere"]
    assert sorted(paths, key=workflow_order) == [paths[2], paths[1], paths[0], paths[3]]


def test_code_digests_can_be_turned_off() -> None:
    data = shipped_config()
    data["rerun_on_code_change"] = False
    config = load_config(data)
    assert RuleDigests(config, files_of(config)).code("train")({}) == "untracked"


@pytest.mark.parametrize(("key", "page"), [("videos_dir", "datasets"), ("features_dir", "features")])
def test_a_missing_folder_is_explained_by_the_page_of_its_key(tmp_path: Path, key: str, page: str) -> None:
    keys = {"streams": {"rgb": {}}, "classes": 2, "runs": ["stpn"], "main_run": "stpn", key: str(tmp_path / "absent")}
    files = DatasetFiles("mine", config_with(mine=keys).datasets["mine"])
    with pytest.raises(UserError) as refusal:
        files.check()
    assert str(refusal.value).endswith(f"(datasets.mine.{key} in config.yaml; docs/{page}.md explains it)")


@pytest.mark.parametrize("duration", [None, 0.0])
def test_frames_without_durations_are_refused_before_any_job(tmp_path: Path, duration: float | None) -> None:
    database = {"a": {"subset": "training"}, "b": {"subset": "validation", "duration": duration}}
    (tmp_path / "gt.json").write_text(json.dumps({"database": database}))
    (tmp_path / "a.mp4").touch()
    keys = {"annotations": str(tmp_path / "gt.json")}
    DatasetFiles("mine", config_with(mine=video_dataset(str(tmp_path), **keys)).datasets["mine"]).check()
    keys |= {"evaluation": {"frame_protocol": "charades"}}
    files = DatasetFiles("mine", config_with(mine=video_dataset(str(tmp_path), **keys)).datasets["mine"])
    with pytest.raises(UserError, match=r"gt.json: video 'b' has no duration above 0, which datasets.mine.evaluation"):
        files.check()
    database["b"]["duration"] = 12.0
    (tmp_path / "gt.json").write_text(json.dumps({"database": database}))
    files.check()
