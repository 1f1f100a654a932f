"""Few-shot episodes on planted features: no download, and the right answers are known."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from clip_ae.cli import main
from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.config.feature_adapters import FeatureAdapter, FewShotEvaluation
from clip_ae.core.config.schema import Evaluation
from clip_ae.core.config.specs import ScoreFewshotSpec
from clip_ae.core.config.training import Localization
from clip_ae.core.provenance import Provenance
from clip_ae.core.sharding import format_shard_name
from clip_ae.data.shards import read_shard, write_shard
from clip_ae.language.adapter import JointEmbedding
from clip_ae.localizers.model_state import module_arrays
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.weights.network_file import save_weights
from tests.localizers.planted import ACTION, CLASSES, DIMS, planted

NAMES = ("catch", "jump", "throw")
VIDEOS, TRAIN = 30, 18
EVALUATION = Evaluation(tiou=(0.3, 0.5), tiou_ranges=("0.3:0.5",))
ADAPTER = FeatureAdapter(run="ugct_weak", align_to="names", held_out_classes=NAMES)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features, annotations, and a feature adapter with random weights."""
    root = tmp_path_factory.mktemp("world")
    provenance = Provenance("extract", {}, "")
    streams = planted(VIDEOS, {name: DIMS[name] for name in ("rgb", "flow")})
    for name, videos in streams.items():
        write_shard(root / name / f"{format_shard_name(0, 1)}.parquet", name, DIMS[name], videos.values(), provenance)
    middle = next(iter(streams["rgb"].values()))
    span = [float(middle.start[ACTION.start]), float(middle.start[ACTION.stop])]
    database = {
        f"v{n}": {
            "subset": "training" if n < TRAIN else "validation",
            "annotations": [{"label": NAMES[n % CLASSES], "segment": span}],
        }
        for n in range(VIDEOS)
    }
    (root / "annotations.json").write_text(json.dumps({"database": database}))
    torch.manual_seed(0)
    joint = JointEmbedding({name: DIMS[name] for name in ("rgb", "flow")}, 4, 6, 0.1, learned_temperature=False)
    save_weights(root / "model.safetensors", module_arrays(joint), provenance, {"joint": joint.init_args})
    return root


def run(world: Path, out: Path, *words: object, **keys: Any) -> tuple[int, Any, str]:
    adapters = keys.pop("adapters", {"adapted": ADAPTER})
    fewshot = FewShotEvaluation(tuple(adapters), **{"ways": 2, "shots": (1, 2), "episodes": 4, **keys})
    spec = ScoreFewshotSpec(
        localization=Localization(activation_thresholds=(0.5,)), dataset="planted", fewshot=fewshot,
        streams=("rgb", "flow"),
        feature_adapters=adapters,
        evaluation=EVALUATION,
    )  # fmt: skip
    code = main(
        ["score_fewshot", "--spec", to_canonical_json(spec), "--features", str(world), "--shards", "1", "--adapters",
         *[str(world / "model.safetensors")] * len(adapters), "--ground-truth", str(world / "annotations.json"),
         "--out", str(out / "f.json"), "--table", str(out / "f.md"), "--device", "cpu", *map(str, words)]
    )  # fmt: skip
    if code:
        return code, None, ""
    return code, json.loads((out / "f.json").read_text()), (out / "f.md").read_text()


def test_what_features_tell_surely_is_found_surely_and_by_chance_less(world: Path, tmp_path: Path) -> None:
    _, found, table = run(world, tmp_path)
    for shots in ("1", "2"):
        plain = found["rows"]["plain"]["shots"][shots]
        assert plain["mean"]["average"]["0.3:0.5"] > 0.95
        assert 0.1 < plain["chance"]["average"]["0.3:0.5"] < 0.75
        adapted = found["rows"]["adapted"]["shots"][shots]
        low, high = adapted["minus_plain"]["interval"]
        assert low <= adapted["minus_plain"]["mean"] <= high
        assert adapted["mean"]["average"]["0.3:0.5"] - plain["mean"]["average"]["0.3:0.5"] == pytest.approx(
            adapted["minus_plain"]["mean"]
        )
    assert found["held_out"]
    assert "| uses class names" in table
    assert read_provenance(tmp_path / "f.json") == read_provenance(tmp_path / "f.md")


def test_the_same_again_is_the_same(world: Path, tmp_path: Path) -> None:
    assert run(world, tmp_path)[1:] == run(world, tmp_path)[1:]


def test_it_is_said_where_no_class_was_held_out_or_a_row_saw_them(world: Path, tmp_path: Path) -> None:
    all_classes_adapter = FeatureAdapter(run="ugct")
    _, found, table = run(world, tmp_path, adapters={"adapted": all_classes_adapter})
    assert not found["held_out"]
    assert found["classes"] == list(NAMES)
    assert "No feature adapter holds out classes" in table
    _, found, table = run(world, tmp_path, adapters={"adapted": ADAPTER, "all_classes": all_classes_adapter})
    assert found["held_out"]
    assert "no class names; trained on these classes" in table


def test_only_classes_that_are_held_out_are_drawn(world: Path, tmp_path: Path) -> None:
    adapter = FeatureAdapter(run="ugct_weak", align_to="names", held_out_classes=NAMES[:2])
    _, found, _ = run(world, tmp_path, adapters={"adapted": adapter})
    assert found["classes"] == list(NAMES[:2])


def test_an_example_of_which_nothing_was_read_is_not_drawn(world: Path, tmp_path: Path) -> None:
    partial_dir = tmp_path / "partial"
    shutil.copytree(world, partial_dir)
    path = partial_dir / "flow" / f"{format_shard_name(0, 1)}.parquet"
    videos = read_shard(path)
    unread = [replace(v, coverage=v.coverage * (v.video_id != "v0"), feature=v.feature) for v in videos]
    write_shard(path, "flow", DIMS["flow"], unread, Provenance("extract", {}, ""))
    adapters = {"adapted": replace(ADAPTER, held_out_classes=())}
    _, found, _ = run(partial_dir, tmp_path, ways=3, shots=(5,), adapters=adapters)
    assert found["rows"]["plain"]["shots"]["5"]["mean"]["average"]["0.3:0.5"] > 0.95
    assert run(partial_dir, tmp_path, ways=3, shots=(6,), adapters=adapters)[0] == 2


def test_mistakes_end_in_a_line(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error_text(*words: object, **keys: Any) -> str:
        assert run(world, tmp_path, *words, **keys)[0] == 2
        return capsys.readouterr().err

    assert "2 of 1 classes" not in error_text(ways=4)
    assert "has 6 instances in training videos" in error_text(shots=(7,))
    assert "no class 'climb'" in error_text(
        adapters={"adapted": FeatureAdapter(run="ugct", held_out_classes=("climb",))}
    )
    assert "give one for each, in their order" in error_text("--adapters", world / "model.safetensors")
