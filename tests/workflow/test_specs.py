"""Which stages a key reaches, for every key there is: a table, checked on the specs."""

import copy
from typing import Any

import pytest

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.dataclass_config import to_canonical_json, to_plain_data
from clip_ae.core.config.schema import Config, Dataset
from clip_ae.core.config.stages import build_stage_spec
from tests.builders import shipped_config

NETS = {
    "pretrain",
    "extract",
    "tune_encoder",
    "train_adapter",
    "adapt_features",
    "score_fewshot",
    "cluster",
    "train",
    "localize",
}
OUTSIDE: set[str] = set()

# Key (a last part `*` stands for all below) -> the stages whose spec holds it. What follows from
# them runs again through Snakemake's own dependencies.
EXPECTED: dict[str, set[str]] = {
    "torch_threads": NETS | {"name_clusters", "find_moments", "score_grounding"},
    "rerun_on_code_change": OUTSIDE,
    "runtime.*": OUTSIDE,
    "pretrain.*": {"pretrain"},
    "weights.demo_rgb.source": {"weights"},  # and whether it is pretrained here at all
    "weights.demo_clip.source": {"weights"},
    "weights.demo_audio.source": {"weights"},
    "weights.demo_rgb.*": {"pretrain", "weights"},
    "weights.demo_clip.*": {"pretrain", "weights"},
    "weights.demo_audio.*": {"pretrain", "weights"},
    "runs.clip_ae.method": {"cluster", "train", "localize", "summarize"},
    # Supervised runs have one round.
    "runs.clip_ae.supervision": {"cluster", "train", "evaluate", "summarize", "report"},
    "runs.clip_ae.clustering": {"cluster", "summarize"},
    "runs.clip_ae.clusters": {"cluster", "train", "summarize"},
    "runs.clip_ae.cluster_refinement": {"cluster", "summarize"},
    "runs.clip_ae.confident_shares": {"cluster", "summarize"},
    "runs.clip_ae.descriptor": {"cluster", "summarize"},
    "runs.clip_ae.descriptor_weights": {"cluster", "summarize"},
    "runs.clip_ae.caf.*": {"train", "summarize"},
    "runs.clip_ae.ccp.*": {"train", "summarize"},
    "runs.clip_ae.vlp_stream": {"train", "localize", "summarize", "report"},
    "runs.clip_ae.fusion_input": {"train", "summarize"},
    "runs.clip_ae.self_supervision.*": {"train", "summarize"},
    "runs.clip_ae.ugct.base_head": {"cluster", "train", "localize", "summarize"},
    "runs.clip_ae.ugct.*": {"train", "summarize"},
    "runs.clip_ae.losses.*": {"train", "summarize"},
    "runs.clip_ae.feature_adapter": {"summarize", "report"},  # and which shards are read
    "feature_adapters.post_pretrained.*": {"train_adapter", "summarize"},
    "datasets.demo.demo.*": {"make_demo"},
    "datasets.simulated.simulate.*": {"simulate"},
    "datasets.demo.classes": {"cluster", "train"},
    "datasets.demo.train_subset": {"catalog", "score_fewshot", "cluster", "train", "evaluate"},
    "datasets.demo.test_subset": {
        "summarize",
        "catalog",
        "score_fewshot",
        "localize",
        "evaluate",
        "diagnose",
        "score_grounding",
        "score_perfect_curves",
    },
    "datasets.demo.max_failures": {"catalog"},
    "datasets.demo.grid.*": {
        "probe",
        "extract",
        "tune_encoder",
        "score_fewshot",
        "localize",
        "index",
        "report",
        "score_perfect_curves",
    },
    "datasets.demo.shards": OUTSIDE,  # which shards are asked for
    "datasets.demo.streams.rgb.*": {"extract rgb", "tune_encoder"},
    "datasets.demo.streams.flow.*": {"extract flow", "tune_encoder"},
    "datasets.demo.streams.clip.*": {"extract clip"},
    "datasets.demo.streams.audio.*": {"extract audio"},
    "datasets.demo.rounds": {"report"},  # otherwise which rounds are asked for
    "datasets.demo.seeds": {"summarize", "report"},  # and which seeds are asked for
    "datasets.demo.training.*": {"train"},
    "datasets.demo.adapter_training.steps": {"train_adapter"},
    "datasets.demo.adapter_training.batch_size": {"train_adapter"},
    "datasets.demo.adapter_training.*": {"train_adapter", "tune_encoder"},
    "datasets.demo.fewshot.*": {"score_fewshot"},
    "datasets.demo.localization.*": {"score_fewshot", "localize", "score_perfect_curves"},
    "datasets.demo.evaluation.tiou": {"score_fewshot", "evaluate", "diagnose", "score_perfect_curves"},
    "datasets.demo.evaluation.video_list": {"score_fewshot", "evaluate", "diagnose", "score_perfect_curves"},
    "datasets.demo.evaluation.*": {"score_fewshot", "evaluate", "score_perfect_curves"},
    "datasets.demo.adapter_training.tuning.blocks": {"tune_encoder"},
    "datasets.demo.adapter_training.tuning.steps": {"tune_encoder"},
    "datasets.demo.adapter_training.tuning.batch_size": {"tune_encoder"},
    "datasets.demo.adapter_training.tuning.learning_rate": {"tune_encoder"},
    "datasets.demo.adapter_training.tuning.max_snippets": {"tune_encoder"},
    "datasets.demo.adapter_training.tuning.precision": {"tune_encoder"},
    "datasets.demo.adapter_training.tuning.activation_checkpointing": {"tune_encoder"},
    "datasets.demo.runs": {"summarize"},  # a table's, and which runs are asked for
    "datasets.demo.published": {"summarize", "report"},  # a table's
    "datasets.demo.main_run": {"summarize", "report"},
    "datasets.demo.vocabulary": OUTSIDE,  # its words are a digest of their own
    "datasets.demo.search_spaces": {"score_grounding"},  # and which indices are asked for
    "datasets.mine.features_dir": OUTSIDE,
    "datasets.mine.layout": {"probe", "import_features"},
    "datasets.mine.partial_annotations": OUTSIDE,  # their content is a digest of its own
    "datasets.own.vocabulary": OUTSIDE,  # so are its words
    "datasets.own.sentences": OUTSIDE,  # what scores moments trains nothing
    "datasets.mine.streams.rgb.role": {"import_features", "cluster", "train", "localize", "report"},
    "datasets.mine.grid.*": {"probe", "import_features", "localize", "report", "score_perfect_curves"},
    "datasets.thumos14.videos_dir": OUTSIDE,  # a moved folder changes nothing
    "datasets.thumos14.annotations": OUTSIDE,  # their content is a digest of its own
}
# What a key is changed to where "one more" would be impossible.
OTHER: dict[str, Any] = {
    "device": "cpu",
    "clustering": "kmeans",
    "cluster_refinement": "k_reciprocal",
    "confident_shares": [0.5, 1.0],
    "curve": "activation",
    "descriptor_weights": "attention",
    "gate": "correspondence",
    "smoothing_s": 1.5,
    "algorithm": "tvl1",
    "cluster_mapping": "hungarian",
    "tiou_ranges": ["0.1:0.4"],
    "tiou": [0.1, 0.3, 0.5, 0.7],
    "architecture": "ViT-B-32-quickgelu",
    "seeds": [5],
    "runs": ["clip_ae"],
    "main_run": "other",
    "activation_thresholds": [0.5],
    "width": 0.5,
    "channels": None,
    "classes": 7,
    "clusters": 7,
    "rgb_weight": 0.4,
    "segments": "whole_video",
    "rerun_on_code_change": False,
    "source": "elsewhere.pt",
    "role": "audio",
    "layout": "suffix",
    "precision": "bf16",
    "backend": "openvino",
    "integrity": f"sha256:{'0' * 64}",
    "inputs": "standardized",
    "supervision": "weak",
    "descriptor": "fused",
    "audio_to": "first",
    "audio": "none",
    "vlp_stream": "rgb",
    "fusion_input": "layer_norm",
    "decor": "literal",
    "pairing": "cross",
    "base_head": "stpn",
    "attention_targets": "soft",
    "class_targets": "kl",
    "uncertainty": "none",
    "ramp_fraction": 0.5,
    "ema_decay": 0.5,
    "warmup_fraction": 0.5,
    "momentum": 0.1,
    "feature_adapters": ["base_actions"],
    "shots": [3],
    "protocol": "non-interpolated",
    "frame_protocol": "charades",
    "dropout": 0.1,
    "attention_thresholds": [0.5],
    "published": "activitynet12",
    "feature_adapter": "post_pretrained",
    "run": "ccp",
    "mode": "encoder",
    "align_to": "images",
    "held_out_classes": ["a class"],
    "search_spaces": ["clip", "named"],
}


@pytest.fixture(scope="module")
def base() -> dict[str, Any]:
    data = to_plain_data(load_config(shipped_config()))
    for name, weights in data["weights"].items():
        if name.startswith("demo_"):
            data["weights"][name] = weights | {"source": "pretrain"}
    data["datasets"]["mine"] = {
        "features_dir": "x", "layout": "joint", "streams": {"rgb": {"role": "cbp"}, "flow": {}}, "classes": 3,
        "runs": ["stpn"], "main_run": "stpn", "grid": {"fps": 25, "frames": 16, "stride": 16},
        "partial_annotations": "few.json",
    }  # fmt: skip
    data["datasets"]["own"] = {
        "videos_dir": "x", "classes": "auto", "streams": copy.deepcopy(data["datasets"]["demo"]["streams"]),
        "vocabulary": "words.txt", "sentences": "said.json", "runs": ["stpn"], "main_run": "stpn",
    }  # fmt: skip
    data["runs"]["clip_ae"] |= {"losses": {"ins_dis": 0.1}, "vlp_stream": "clip"}
    data["runs"]["other"] = copy.deepcopy(data["runs"]["clip_ae"])
    data["datasets"]["demo"] |= {"runs": ["clip_ae", "other"], "main_run": "clip_ae", "published": "thumos14"}
    return to_plain_data(load_config(data))


def leaves(data: Any, path: str = "") -> list[str]:
    if isinstance(data, dict):
        return [leaf for k, v in data.items() for leaf in leaves(v, f"{path}.{k}" if path else k)]
    return [path]


def jobs(config: Config) -> dict[str, str]:
    """One job of every stage, by name: its canonical spec."""
    found: dict[str, str] = {}

    def add(job: str, stage: str, **wildcards: str) -> None:
        found[job] = to_canonical_json(build_stage_spec(config, stage, wildcards))

    for name, weights in config.weights.items():
        if weights.source == "pretrain":
            add(f"pretrain {name}", "pretrain", name=name)
        add(f"weights {name}", "weights", name=name)
    for dataset, data in config.datasets.items():
        if data.demo:
            add(f"make_demo {dataset}", "make_demo", dataset=dataset)
            for stream in ("rgb", "flow"):
                add(f"tune_encoder {stream} {dataset}", "tune_encoder", dataset=dataset, adapter="tuned", stream=stream)
        add(f"probe {dataset}", "probe", dataset=dataset)
        for stream in data.encoders:
            add(f"extract {stream} {dataset}", "extract", dataset=dataset, stream=stream)
        if data.features_dir:
            add(f"import_features {dataset}", "import_features", dataset=dataset, stream=data.stream_names[0])
        for stage in ("catalog", "diagnose", "report", "score_perfect_curves"):
            add(f"{stage} {dataset}", stage, dataset=dataset)
        if data.fewshot:
            add(f"score_fewshot {dataset}", "score_fewshot", dataset=dataset)
        if data.simulate:
            add(f"simulate {dataset}", "simulate", dataset=dataset)
        for summary in ("map.json", "table.md"):
            add(f"summarize {dataset} {summary}", "summarize", dataset=dataset, summary=summary)
        run = data.main_run
        for number in ("0", "1"):
            add(f"cluster {dataset} {number}", "cluster", dataset=dataset, run=run, seed="0", round=number)
        add(f"train {dataset}", "train", dataset=dataset, run=run, seed="0")
        add(f"localize {dataset}", "localize", dataset=dataset, run=run)
        add(f"evaluate {dataset}", "evaluate", dataset=dataset, run=run)
        if data.vlp_stream:
            add(f"train_adapter {dataset}", "train_adapter", dataset=dataset, adapter="post_pretrained")
            add(f"adapt_features {dataset}", "adapt_features", dataset=dataset, adapter="post_pretrained", stream="rgb")
        for stage in ("name_clusters", "find_moments", "score_grounding") if data.vlp_stream else ():
            add(f"{stage} {dataset}", stage, dataset=dataset)
        for space in data.search_spaces if data.vlp_stream else ():
            add(f"index {dataset} {space}", "index", dataset=dataset, space=space)
    return found


def expected_for(leaf: str) -> list[str]:
    """The rows of the table that match a key."""
    exact = [row for row in EXPECTED if leaf == row]
    return exact or [row for row in EXPECTED if row.endswith(".*") and leaf.startswith(row[:-1])]


def changed(base: dict[str, Any], leaf: str) -> set[str]:
    data = copy.deepcopy(base)
    *parents, last = leaf.split(".")
    section = data
    for parent in parents:
        section = section[parent]
    section[last] = other_value(last, section[last])
    before, after = jobs(load_config(base)), jobs(load_config(data))
    return {name for name in before.keys() & after.keys() if before[name] != after[name]}


def other_value(name: str, value: Any) -> Any:
    # An encoder's width is a factor, a localizer's a number of features.
    if name in OTHER and not (name == "width" and isinstance(value, int)):
        return OTHER[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value / 2 if isinstance(value, float) and 0 < value <= 1 else value + 1
    return value + "x"


SKIPPED = {
    "runs.clip_ae.method": "its switches belong to it; stpn's modules are checked below",
    "datasets.simulated.simulate.classes": "that of the dataset goes with it",
    "weights.demo_rgb.i3d.channels": "the stream fixes it",
    "datasets.demo.runs": "checked below",
    "feature_adapters.post_pretrained.mode": "an encoder's needs videos, which the simulated world has not",
    "feature_adapters.post_pretrained.trimmed_dataset": "has names, so `align_to` goes with it",
}


def tracked_leaves(base: dict[str, Any]) -> list[str]:
    roots = (
        "datasets.thumos14.",
        "datasets.activitynet12.",
        "datasets.charades.",
        "datasets.simulated",
        "runs.",
        "weights.",
        "feature_adapters.",
    )
    own = ("runs.clip_ae.", "feature_adapters.post_pretrained.",
           "datasets.simulated.simulate.", "weights.demo_rgb.", "weights.demo_clip.",
           "weights.demo_audio.", "datasets.thumos14.videos_dir", "datasets.thumos14.annotations")  # fmt: skip
    of = {
        "mine": ("features_dir", "layout", "streams", "grid", "partial_annotations"),
        "own": ("vocabulary", "sentences"),
    }
    return [
        leaf
        for leaf in leaves(base)
        if (not leaf.startswith(roots) or leaf.startswith(own))
        and (not leaf.startswith(("datasets.mine.", "datasets.own.")) or leaf.split(".")[2] in of[leaf.split(".")[1]])
    ]


def test_every_key_has_its_row_and_reaches_just_its_stages(base: dict[str, Any]) -> None:
    wrong = []
    for leaf in tracked_leaves(base):
        rows = expected_for(leaf)
        assert len(rows) == 1, f"{leaf}: rows {rows}; say in EXPECTED which stages it reaches"
        if leaf in SKIPPED:
            continue
        if leaf.endswith(("weights.demo_rgb", "streams.rgb.weights", "streams.flow.weights", "streams.clip.weights",
                          "streams.audio.weights", ".encoder")):  # fmt: skip
            continue  # naming other weights is checked below, and another encoder has other keys
        scope = leaf.split(".")[1] if leaf.startswith(("datasets.", "weights.")) else None
        got = changed(base, leaf)
        stages = {name.rsplit(" ", 1)[0] if name.startswith("extract") else name.split(" ")[0] for name in got}
        expected = EXPECTED[rows[0]]
        if "extract" in expected:
            stages = {stage.split(" ")[0] for stage in stages}
        if stages != expected or (scope and not all(scope in name for name in got)):
            wrong.append((leaf, sorted(got), sorted(expected)))
    assert not wrong


def test_a_frozen_run_keeps_no_key_that_only_search_reads(base: dict[str, Any]) -> None:
    base = copy.deepcopy(base)
    base["datasets"]["demo"]["search_spaces"] = ["clip", "named"]
    config = load_config(base)

    def frozen(name: str) -> Dataset:
        spec = build_stage_spec(config, "freeze", {"dataset": name})
        found: Dataset = spec.config.datasets[name]  # type: ignore[attr-defined]
        return found

    assert frozen("own").sentences is None
    assert frozen("own").vocabulary == "words.txt", "which names the clusters of the detections"
    assert (frozen("demo").search_spaces, frozen("demo").vocabulary) == (("clip",), None)


def test_the_blocks_are_tuned_as_long_as_their_own_keys_say(base: dict[str, Any]) -> None:
    tuned = {"tune_encoder rgb demo", "tune_encoder flow demo"}
    for key in ("steps", "batch_size"):
        assert not changed(base, f"datasets.demo.adapter_training.{key}") & tuned
        assert changed(base, f"datasets.demo.adapter_training.tuning.{key}") == tuned
    assert tuned <= changed(base, "datasets.demo.adapter_training.width")


def test_a_frozen_run_keeps_its_own_overrides_only(base: dict[str, Any]) -> None:
    for name in ("thumos14", "activitynet12"):
        spec: Any = build_stage_spec(load_config(base), "freeze", {"dataset": name})
        frozen = load_config(to_plain_data(spec.config))
        assert frozen.datasets[name].runs == ("clip_ae",)
        assert not frozen.datasets[name].run_overrides
    data = copy.deepcopy(base)
    data["datasets"]["thumos14"]["main_run"] = "tcam"
    spec = build_stage_spec(load_config(data), "freeze", {"dataset": "thumos14"})
    assert list(spec.config.datasets["thumos14"].run_overrides) == ["tcam"]


def test_fewer_runs_than_overrides_are_no_mistake(base: dict[str, Any]) -> None:
    data = copy.deepcopy(base)
    data["datasets"]["thumos14"]["runs"] = ["clip_ae"]
    assert load_config(data).datasets["thumos14"].run_overrides.keys() >= {"stpn"}


def test_overrides_of_a_run_replace_its_own_keys_in_one_dataset_only(base: dict[str, Any]) -> None:
    data = copy.deepcopy(base)
    data["runs"]["clip_ae"] |= {"training": {"steps": 7, "width": 8}, "localization": {"curve": "activation"}}
    data["datasets"]["demo"]["run_overrides"] = {
        "clip_ae": {"training": {"steps": 9}, "localization": {"smoothing_s": 2.0}}
    }
    config = load_config(data)

    def find_settings(dataset: str, run: str) -> tuple[int, int, str, float | str]:
        train: Any = build_stage_spec(config, "train", {"dataset": dataset, "run": run, "seed": "0"})
        localize: Any = build_stage_spec(config, "localize", {"dataset": dataset, "run": run})
        return (
            train.training.steps,
            train.training.width,
            localize.localization.curve,
            localize.localization.smoothing_s,
        )

    assert find_settings("demo", "clip_ae") == (9, 8, "activation", 2.0)
    assert find_settings("simulated", "clip_ae") == (7, 8, "activation", "auto")
    shipped = load_config(base).datasets["demo"].training
    assert find_settings("demo", "other") == (shipped.steps, shipped.width, "auto", "auto")


def test_other_weights_reach_one_stream(base: dict[str, Any]) -> None:
    data = copy.deepcopy(base)
    data["weights"]["another"] = data["weights"]["demo_clip"]
    data["datasets"]["demo"]["streams"]["clip"]["weights"] = "another"
    before, after = jobs(load_config(base)), jobs(load_config(data))
    assert {n for n in before if before[n] != after[n]} == {"extract clip demo"}


def test_a_runs_modules_are_its_learner_its_head_and_what_may_stand_before_it(base: dict[str, Any]) -> None:
    def modules(run: str, stage: str = "train") -> tuple[str, ...]:
        wildcards = {"dataset": "demo", "run": run, "seed": "0"}
        return build_stage_spec(load_config(base), stage, wildcards).modules

    assert modules("stpn") == ("clip_ae.localizers.learner", "clip_ae.localizers.heads.stpn")
    front_end = "clip_ae.localizers.front_end"
    assert modules("clip_ae") == ("clip_ae.localizers.clip_ae", "clip_ae.localizers.heads.ugct", front_end)
    assert modules("oracle") == ("clip_ae.localizers.learner", "clip_ae.localizers.heads.oracle")
    base = copy.deepcopy(base)
    base["runs"]["ugct"]["ugct"] = {"base_head": "tscn"}
    for stage in ("train", "localize"):
        assert modules("ugct", stage) == ("clip_ae.localizers.ugct", "clip_ae.localizers.heads.tscn")


def test_each_round_clusters_with_its_share_of_confident_videos(base: dict[str, Any]) -> None:
    data = copy.deepcopy(base)
    data["runs"]["stpn"] |= {"confident_shares": [0.25, 0.5, 1.0], "cluster_refinement": "k_reciprocal"}
    wildcards = {"dataset": "demo", "run": "stpn", "seed": "0"}
    specs = [build_stage_spec(load_config(data), "cluster", {**wildcards, "round": str(k)}) for k in range(5)]
    assert [spec.confident_share for spec in specs] == [0.25, 0.5, 1.0, 1.0, 1.0]
    assert "clip_ae.clustering.k_reciprocal" in specs[0].modules
    plain = build_stage_spec(load_config(base), "cluster", {**wildcards, "round": "0"})
    assert plain.confident_share == 1.0
    assert "clip_ae.clustering.k_reciprocal" not in plain.modules


def test_raft_reaches_the_flow_stream_with_its_code(base: dict[str, Any]) -> None:
    data = copy.deepcopy(base)
    data["datasets"]["demo"]["streams"]["flow"] |= {"algorithm": "raft", "raft": "raft_large"}
    before, after = jobs(load_config(base)), jobs(load_config(data))
    assert {n for n in before if before[n] != after[n]} == {"extract flow demo", "tune_encoder flow demo"}
    spec = build_stage_spec(load_config(data), "extract", {"dataset": "demo", "stream": "flow"})
    assert spec.modules == ("clip_ae.encoders.streams.i3d_flow", "clip_ae.encoders.flows.raft")


def test_two_values_swapped_are_seen(base: dict[str, Any]) -> None:
    """Snakemake's own comparison of params is an unordered set and would miss it."""
    data = copy.deepcopy(base)
    training = data["datasets"]["demo"]["training"]
    training["snippets"], training["steps"] = training["steps"], training["snippets"]
    before, after = jobs(load_config(base)), jobs(load_config(data))
    assert {n for n in before if before[n] != after[n]} == {"train demo"}


def test_reordered_keys_and_whole_numbers_are_the_same(base: dict[str, Any]) -> None:
    def reordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: reordered(v) for k, v in reversed(list(value.items()))}
        return int(value) if isinstance(value, float) and value == int(value) else value

    assert jobs(load_config(reordered(base))) == jobs(load_config(base))


def test_a_frozen_run_keeps_the_trimmed_dataset_of_its_adapter() -> None:
    """Its config is complete, and nothing in it is of other runs."""
    data = shipped_config()
    whole = {key: value for key, value in data["datasets"]["demo"].items() if key != "demo"}
    data["datasets"]["clips"] = whole | {"videos_dir": "clips", "annotations": "clips.json", "main_run": "ugct"}
    data["feature_adapters"]["clipped"] = {"run": "ugct_weak", "align_to": "names", "trimmed_dataset": "clips"}
    data["runs"]["ugct_clipped"] = {"method": "ugct", "feature_adapter": "clipped"}
    data["datasets"]["demo"] |= {"runs": ["ugct_clipped"], "main_run": "ugct_clipped"}
    config = load_config(data)
    frozen = build_stage_spec(config, "freeze", {"dataset": "demo"}).config
    assert set(frozen.datasets) == {"demo", "clips"}
    assert set(frozen.runs) == {"ugct_clipped", "ugct_weak", "ugct"}
    assert set(frozen.feature_adapters) == {"clipped"}
    assert load_config(to_plain_data(frozen)) == frozen


def test_the_report_names_the_streams_that_the_main_run_reads() -> None:
    data = shipped_config()
    assert set(data["datasets"]["demo"]["streams"]) == {"rgb", "flow", "clip", "audio"}
    for main_run, streams in (("stpn_sparse", ("rgb", "flow")), ("clip_ae", ("rgb", "flow", "clip", "audio"))):
        data["datasets"]["demo"] |= {"main_run": main_run, "runs": [main_run]}
        assert build_stage_spec(load_config(data), "report", {"dataset": "demo"}).streams == streams
