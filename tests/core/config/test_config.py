"""config.yaml: the shipped file is complete and valid, and every mistake ends in one line."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.methods import CcpSwitches, Run, select_streams
from clip_ae.core.config.streams import I3dFlowEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.sharding import list_demo_subsets
from clip_ae.core.tiou_ranges import parse_tiou_ranges
from clip_ae.tools import schema
from clip_ae.workflow.config_files import merge_keys, parse_config_file
from docs.config_reference import render_page
from tests.builders import ROOT, shipped_config


@pytest.fixture
def data() -> dict[str, Any]:
    return shipped_config()


def put(data: dict[str, Any], path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
    data[leaf] = value


def test_the_schema_file_is_what_the_dataclasses_say() -> None:
    stored_text = (ROOT / "workflow/schemas/config.schema.json").read_text(encoding="utf-8")
    assert stored_text == schema.build_schema_text(), "run `make schema`"


def test_the_config_reference_page_is_what_the_dataclasses_say() -> None:
    """docs/config.md lists every key; `python -m docs.config_reference` writes it."""
    assert (ROOT / "docs/config.md").read_text(encoding="utf-8") == render_page()


def test_the_commented_examples_are_right() -> None:
    """Both `mine` examples are valid without their comment marks."""
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    examples = re.sub(r"^  # ?", "  ", text[text.index("  # mine:") :], flags=re.MULTILINE)
    first, _, second = examples.partition("  Feature files that you have")
    for example in (first, "  mine:" + second.partition("  mine:")[2]):
        data = shipped_config()
        merge_keys(data, yaml.safe_load("datasets:\n" + example))
        config = load_config(data)
        assert config.datasets["mine"].stream_names[:2] == ("rgb", "flow")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("datasets.demo.trainng", {}, "datasets.demo.trainng: unknown key; did you mean 'training'?"),
        ("datasets.demo.training.steps", 0, "datasets.demo.training.steps: 0 must be at least 1"),
        (
            "datasets.demo.videos_dir",
            "x",
            "expected exactly one of demo, simulate, videos_dir, features_dir; got demo, videos_dir",
        ),
        (
            "datasets.demo.runs",
            ["stpn"],
            "datasets.demo.main_run: 'stpn_sparse' is not among the runs of this dataset (stpn); name one of them",
        ),
        ("datasets.demo.runs", ["stpm"], "datasets.demo.runs: 'stpm' is not defined; did you mean 'stpn'?"),
        (
            "datasets.demo.evaluation.tiou_ranges",
            ["0.1:0.65"],
            "datasets.demo.evaluation.tiou_ranges: '0.1:0.65' must be LOW",
        ),
        (
            "datasets.demo.evaluation.video_list",
            "200",
            "datasets.demo.evaluation.video_list: '200' is not defined; did you mean",
        ),
        ("runs.caf.losses", {"ins_dis": 1.0}, "runs.caf.losses.ins_dis: 'ins_dis' is not defined"),
        ("runs.ugct.losses", {"class_pseudo": 1.0}, "runs.ugct.losses.class_pseudo: 'class_pseudo' is not defined"),
        ("runs.ugct_weak.cluster_refinement", "k_reciprocal", "runs.ugct_weak.supervision: a supervised run does not"),
        (
            "runs.ugct_weak.confident_shares",
            [0.5, 1.0],
            "runs.ugct_weak.supervision: a supervised run does not cluster",
        ),
        (
            "runs.ugct.confident_shares",
            [1.0, 0.5],
            "runs.ugct.confident_shares: expected rising numbers, got [1.0",
        ),
        ("runs.ugct.confident_shares", [], "runs.ugct.confident_shares: expected rising numbers, got []"),
        ("runs.ugct.confident_shares", [0.5, 1.5], "runs.ugct.confident_shares"),
        ("runs.ugct_weak.clustering", "kmeans", "runs.ugct_weak.supervision: a supervised run does not cluster"),
        ("runs.ugct_weak.clusters", 3, "runs.ugct_weak.supervision: a supervised run does not cluster"),
        ("runs.ugct_weak.descriptor_weights", "attention", "runs.ugct_weak.supervision: a supervised run does not"),
        ("runs.ugct.clusters", 1, "runs.ugct.clusters: 1"),
        (
            "runs.ugct.ugct",
            {"base_head": "stpn", "uncertainty": "dropout"},
            "runs.ugct.ugct.uncertainty: stpn has no dropout",
        ),
        (
            "datasets.demo.run_overrides",
            {"stpm_sparse": {}},
            "datasets.demo.run_overrides: 'stpm_sparse' is not defined; did you mean 'stpn_sparse'?",
        ),
        (
            "datasets.demo.run_overrides",
            {"stpn_sparse": {"training": {"step": 5}}},
            "datasets.demo.run_overrides.stpn_sparse.training.step: unknown key; did you mean 'steps'?",
        ),
        ("datasets.demo.seeds", [], "datasets.demo.seeds: expected different seeds"),
        ("datasets.demo.seeds", [1, 1], "datasets.demo.seeds: expected different seeds"),
        ("datasets.demo.annotations", "x.json", "datasets.demo.annotations: the demo has its own"),
        ("datasets.demo.sentences", "x.json", "datasets.demo.sentences: the demo has its own"),
        (
            "datasets.simulated.sentences",
            "x.json",
            "datasets.simulated.sentences: a simulated dataset has no CLIP text tower; remove sentences",
        ),
        (
            "datasets.simulated.vocabulary",
            "x.txt",
            "datasets.simulated.vocabulary: a simulated dataset has no CLIP text tower; remove vocabulary",
        ),
        ("datasets.demo.fewshot.feature_adapters", [], "datasets.demo.fewshot: names no feature_adapters"),
        ("datasets.demo.fewshot.shots", [], "datasets.demo.fewshot: names no shots"),
        (
            "datasets.demo.fewshot.feature_adapters",
            ["base_clases"],
            "'base_clases' is not defined; did you mean 'base_classes'?",
        ),
        (
            "datasets.demo.fewshot.feature_adapters",
            ["base_classes", "base_actions"],
            "datasets.demo.fewshot.feature_adapters: have different held_out_classes",
        ),
        (
            "feature_adapters.named.trimmed_dataset",
            "demo",
            "feature_adapters.named.trimmed_dataset is this dataset; name another",
        ),
        ("feature_adapters.plain", {"run": "ugct"}, "feature_adapters.plain: a name has only letters"),
        ("feature_adapters.clip", {"run": "ugct"}, "and is none of clip, plain"),
        (
            "feature_adapters.base_classes.mode",
            "encoder",
            "base_classes has mode encoder; all rows must share the same features",
        ),
        ("datasets.demo.runs", {"mine": {}}, 'got {"mine": {}}; names of runs to train and score; runs are defined'),
        ("datasets.demo.streams", ["rgb"], 'got ["rgb"]; write each name as a key, as in `NAME: {}`'),
        ("datasets.demo.streams", {}, "datasets.demo.streams: missing; name the streams"),
        ("datasets.demo.encoders", {}, "datasets.demo.encoders: this key is now called `streams`; rename it"),
        ("datasets.demo.streams.audio", None, "clip_ae: needs a stream with role audio for caf, and this dataset has"),
        ("datasets.demo.streams.clip.role", "cbp", "needs a stream with role vlp for ccp, and this dataset has none"),
        ("datasets.demo.streams.clip.role", "audio", "clip and audio have the role audio; only one stream can"),
        ("datasets.demo.streams.flow.role", "vlp", "flow and clip have the role vlp; only one stream can have it"),
        ("datasets.demo.streams.dino", {"encoder": "i3d"}, "datasets.demo.streams.dino.role: missing; say cbp, vlp or"),
        ("datasets.demo.streams.dino", {"role": "cbp"}, "datasets.demo.streams.dino.encoder: missing; one of i3d,"),
        ("datasets.demo.streams.dino", {"encoder": "i3f", "role": "cbp"}, "not an encoder; did you mean 'i3d'"),
        ("datasets.demo.streams.probe", {"role": "cbp"}, "a stream cannot be called probe; choose another name"),
        ("datasets.demo.streams.a/b", {"role": "cbp"}, "datasets.demo.streams.a/b: a name has only letters, digits"),
        ("datasets.simulated.streams", {"dino": {"role": "cbp"}}, "simulated.streams.dino: 'dino' is not defined"),
        ("datasets.simulated.streams", {"clip": {}}, "needs a stream with role cbp for every method"),
        ("datasets.simulated.streams", {"rgb": {"weights": "x"}}, "streams.rgb: only `role` can be set here"),
        ("runs.ugct.cbp_streams", ["rgb", "rgb"], "cbp_streams is ['rgb', 'rgb']; name different streams"),
        ("runs.ugct.cbp_streams", [], "cbp_streams is []; name different streams, or remove the key"),
        ("runs.ugct.cbp_streams", ["rbg"], "cbp_streams names the rbg stream, which this dataset does not have"),
        ("runs.ccp.vlp_stream", "rbg", "ccp: vlp_stream names the rbg stream, which this dataset does not have (rgb,"),
        ("runs.ugct.vlp_stream", "rgb", "runs.ugct.vlp_stream: only CCP reads it; add `ccp: {}`, or remove the key"),
        ("runs.caf.caf", {"audio": "noise"}, 'runs.caf.caf.audio: "noise" is not allowed; did you mean'),
        ("runs.ugct_weak", {"method": "clip_ae", "supervision": "weak", "caf": {"audio": "none"}}, "is a control, by"),
        (
            "runs.clip_ae",
            {"method": "clip_ae", "caf": {"audio": "none"}, "ccp": {}, "vlp_stream": "audio"},
            "caf.audio `none` replaces the audio stream, which the run also reads as another view; change cbp_streams",
        ),
        ("datasets.demo.localization.stream_weights", {"rgb": 1}, "localization.stream_weights has no flow; give each"),
        ("datasets.demo.localization.stream_weights", {"dino": 1}, "stream_weights: 'dino' is not defined"),
        ("datasets.demo.localization.stream_weights", {"rgb": 0, "flow": 0}, "are 0 for rgb, flow; raise one"),
        ("datasets.demo.localization.rgb_weight", 0.6, "this key is now called `stream_weights`; rename it"),
        ("runs.ugct_post.cbp_streams", ["rgb", "clip"], "ugct_post reads clip, which feature_adapters.post_pretrained"),
        ("datasets.simulated.classes", 21, "datasets.simulated.classes: 21, but simulate.classes is 20"),
        ("datasets.simulated.annotations", "x", "datasets.simulated.annotations: a simulated dataset has its own"),
        ("datasets.demo.localization.attention_thresholds", [0.5, 0.1], "attention_thresholds: expected rising"),
        ("runs.ugct.caf", {}, "runs.ugct.caf: a switch of clip_ae, not of ugct"),
        ("runs.stpn.ugct", {}, "runs.stpn.ugct: a switch of ugct and clip_ae, not of stpn"),
        ("runs.ugct.descriptor", "fused", "runs.ugct.descriptor: `fused` needs caf or ccp"),
        ("runs.ugct.supervision", "full", "runs.ugct.supervision: only the methods oracle and ridge can have `full`"),
        (
            "runs.ugct.ugct",
            {"base_head": "stpn", "class_targets": "kl"},
            "class_targets: `kl` and `mse` need a softmax over classes",
        ),
        ("runs.oracle.supervision", "weak", "runs.oracle.supervision: method oracle needs `full`"),
        ("runs.clip_ae.caf.num_layers", 5, "runs.clip_ae.caf.num_layers: 5 must be at most 4"),
        ("runs.clip_ae.losses", {"decorr": 1.0}, "'decorr' is not defined; did you mean 'decor'"),
        ("runs.clip_ae.ugct.base_head", "tcam", 'runs.clip_ae.ugct.base_head: "tcam" is not allowed'),
        ("datasets.demo.streams.rgb.weights", "demo_clip", "demo_clip is a clip network; rgb needs i3d"),
        ("datasets.demo.streams.rgb.weights", "demo_flow", "demo_flow takes 2 channels; rgb has 3"),
        ("datasets.demo.streams.rgb.weights", "demo_rbg", "'demo_rbg' is not defined; did you mean 'demo_rgb'?"),
        ("datasets.demo.evaluation.tiou", [0.5, 0.1], "datasets.demo.evaluation.tiou: expected rising numbers"),
        ("datasets.demo.evaluation.tiou", [0.5, 1.5], "datasets.demo.evaluation.tiou[1]: 1.5 must be at most 1"),
        ("datasets.demo.evaluation.tiou_ranges", ["0.1:0.55"], "'0.1:0.55' must be LOW:HIGH with both ends in tiou"),
        ("datasets.demo.evaluation.tiou_ranges", ["all"], "'all' must be LOW:HIGH"),
        ("datasets.demo.demo.seconds_min", 30, "datasets.demo.demo.seconds_min: larger than seconds_max"),
        ("datasets.weights", {}, "datasets.weights.classes: missing"),
        ("runs.stpn.method", "stpm", "runs.stpn.method: \"stpm\" is not allowed; did you mean 'stpn'?"),
        (
            "runs.stpn_sparse.losses.sparsty",
            1.0,
            "runs.stpn_sparse.losses.sparsty: 'sparsty' is not defined; did you mean 'sparsity'",
        ),
        (
            "weights.demo_rgb.clip",
            {},
            "weights.demo_rgb: expected exactly one of i3d, clip, vggish, vggish_pca, raft, timm, torchvision, "
            "network; got i3d, clip",
        ),
        ("weights.demo_rgb.i3d", None, "vggish_pca, raft, timm, torchvision, network; got none"),
        ("weights.demo_rgb.network", "x", "torchvision, network; got i3d, network"),
        ("weights.mine", {"network": "clip", "source": "x"}, "weights.mine.network: clip has options; write `clip: {"),
        ("weights.mine", {"network": "", "source": "x"}, "weights.mine.network: '' is not a row of SINGLE_FILE_ENC"),
        ("datasets.simulated.streams", {"rgb": {"encoder": "vggish"}}, "streams.rgb: only `role` can be set here"),
        (
            "weights.raft_large.source",
            "pretrain",
            "weights.raft_large.source: the workflow cannot train a raft network",
        ),
        ("weights.raft_large.raft.size", "huge", 'weights.raft_large.raft.size: "huge" is not allowed'),
        ("datasets.demo.streams.rgb.weights", "raft_large", "raft_large is a raft network; rgb needs i3d here"),
        ("datasets.demo.streams.rgb.precision", "fp16", 'rgb.precision: "fp16" is not allowed'),
        ("datasets.demo.streams.rgb.raft", "raft_large", "datasets.demo.streams.rgb.raft: unknown key"),
        ("datasets.demo.streams.flow.algorithm", "raft", "flow.raft: name a raft entry of `weights` with algorithm"),
        ("datasets.demo.streams.flow.raft", "raft_large", "flow.raft: name a raft entry of `weights` with algorithm"),
        (
            "datasets.demo.streams.flow.raft",
            "raft_lrge",
            "flow.raft: 'raft_lrge' is not defined; did you mean",
        ),
        ("datasets.demo.streams.flow.raft", "vggish", "flow.raft: vggish is a vggish network; flow needs raft here"),
        ("datasets.demo.streams.audio.pca", "vggish", "audio.pca: vggish is a vggish network; audio needs vggish_pca"),
        ("runtime.gpu_batch_size", -1, "runtime.gpu_batch_size: -1 must be at least 0"),
        ("runtime.num_workers", 0, "runtime.num_workers: 0 must be at least 1"),
        ("weights.demo_rgb.i3d.crop", 50, "weights.demo_rgb.i3d.crop: 50 pixels do not fit into short_side 42"),
        ("weights.vggish.integrity", "sha256-prefx:1", "weights.vggish.integrity: expected sha256:HEX"),
        (
            "weights.vggish.integrity",
            None,
            "weights.vggish.integrity: missing; a file from elsewhere is checked before it is read",
        ),
        (
            "datasets.demo.streams.clip.frames",
            40,
            "datasets.demo.streams.clip.frames: CLIP reads 40 frames, but a snippet has only 16",
        ),
        ("datasets.demo.localization.activation_thresholds", [50], "thresholds[0]: 50.0 must be at most 1"),
        ("datasets.demo.test_subset", "training", "'training' is also the training subset"),
        ("runs.stpn_sparse.losses.sparsity", -5.0, "runs.stpn_sparse.losses.sparsity: -5.0 must be at least 0"),
        ("runtime.device", "gpu", 'runtime.device: "gpu" is not allowed'),
        (
            "feature_adapters.tuned_named.trimmed_dataset",
            "thumos14",
            "feature_adapters.tuned_named.trimmed_dataset: an encoder is fine-tuned on the dataset's own",
        ),
        (
            "datasets.simulated.runs",
            ["ugct_tuned"],
            "feature_adapters.tuned fine-tunes I3D, so it needs videos",
        ),
        ("datasets.demo.adapter_training.tuning.blocks", 10, "adapter_training.tuning.blocks: 10 must be at most 9"),
        ("math_threds", 2, "math_threds: unknown key; did you mean 'torch_threads'?"),
    ],
)
def test_mistakes(data: dict[str, Any], path: str, value: Any, words: str) -> None:
    put(data, path, value)
    with pytest.raises(UserError) as caught:
        load_config(data)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["weights", "pretrained", "a/b", "-x", "a b", ""])
def test_names_that_would_collide_or_escape(data: dict[str, Any], name: str) -> None:
    data["datasets"][name] = data["datasets"]["thumos14"]
    with pytest.raises(UserError, match="a name has only letters, digits"):
        load_config(data)


def test_a_features_source_names_its_streams(data: dict[str, Any]) -> None:
    mine: dict[str, Any] = {"features_dir": "x", "classes": 3, "runs": ["stpn"], "main_run": "stpn"}
    data["datasets"]["mine"] = mine
    with pytest.raises(UserError, match=r"mine\.streams: missing; name the streams"):
        load_config(data)
    mine["streams"] = {"rgb": {}, "flow": {}}
    assert load_config(data).datasets["mine"].stream_names == ("rgb", "flow")
    mine |= {"runs": ["ugct_weak"], "main_run": "ugct_weak"}
    with pytest.raises(UserError, match="ugct_weak needs labels, and this dataset has no annotations"):
        load_config(data)


@pytest.mark.parametrize("name", ["vocabulary", "sentences"])
def test_words_are_read_by_the_clip_that_saw_the_videos(data: dict[str, Any], name: str) -> None:
    mine = {
        "features_dir": "x",
        "streams": {"rgb": {}, "flow": {}},
        "classes": 3,
        "runs": ["stpn"],
        "main_run": "stpn",
        name: "x",
    }
    data["datasets"]["mine"] = mine
    with pytest.raises(UserError, match=f"mine.{name}: needs a stream with role vlp, and this dataset has none"):
        load_config(data)
    mine["streams"] = {"rgb": {}, "flow": {}, "clip": {}}
    with pytest.raises(UserError, match=f"mine.{name}: needs CLIP.s text tower"):
        load_config(data)
    del mine["features_dir"], mine["streams"]
    mine |= {"videos_dir": "x", "streams": data["datasets"]["demo"]["streams"]}
    assert getattr(load_config(data).datasets["mine"], name) == "x"


def test_networks_of_a_stream_its_own_first(data: dict[str, Any]) -> None:
    flow = data["datasets"]["demo"]["streams"]["flow"]
    flow |= {"algorithm": "raft", "raft": "raft_large"}
    encoders = load_config(data).datasets["demo"].encoders
    assert encoders["flow"].weights_names == ("demo_flow", "raft_large")
    assert encoders["rgb"].weights_names == ("demo_rgb",)


def test_averages_hold_the_thresholds_between_their_ends() -> None:
    tiou = (0.1, 0.3, 0.4, 0.5, 0.7)
    assert parse_tiou_ranges(("0.3:0.5",), tiou) == {"0.3:0.5": (0.3, 0.4, 0.5)}
    assert parse_tiou_ranges((), tiou) == {"0.1:0.7": tiou}
    for text in ("0.3:0.6", "0.5:0.3", "0.3", "low:high"):
        with pytest.raises(UserError, match="both ends in tiou"):
            parse_tiou_ranges((text,), tiou)


def test_demo_ids_are_known_before_anything_is_drawn() -> None:
    subsets = list_demo_subsets(5, 2)
    assert list(subsets.values()) == ["training"] * 5 + ["validation"] * 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2\n", ":2: 'a' is given twice"),
        ('"a\\nb": 1\n"a\\nb": 2\n', ":2: 'a b' is given twice"),
        ("a: [1\nb: 2\n", ":2: not YAML"),
        ("- a\n", "expected keys and values at the top"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        parse_config_file(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_demo_extracts_the_flow_that_its_network_was_trained_on() -> None:
    from clip_ae.encoders.pretraining.classification import DEMO_FLOW_ENCODER

    flow = load_config(shipped_config()).datasets["demo"].encoders["flow"]
    assert isinstance(flow, I3dFlowEncoder)
    assert (flow.algorithm, flow.clip_value) == (DEMO_FLOW_ENCODER.algorithm, DEMO_FLOW_ENCODER.clip_value)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("# caf\u00e9\n".encode("latin-1"))
    with pytest.raises(UserError, match="expected a text file in UTF-8"):
        parse_config_file(path)


def test_the_order_of_cbp_streams_changes_nothing(data: dict[str, Any]) -> None:
    run = Run(method="stpn", cbp_streams=("clip", "flow", "rgb"))
    assert select_streams("x", load_config(data).datasets["demo"].roles, run).cbp == ("rgb", "flow", "clip")


@pytest.mark.parametrize("name", ["rgb", "clip", "audio"])
def test_ccp_reads_any_stream_as_vlp(data: dict[str, Any], name: str) -> None:
    run = Run(method="clip_ae", ccp=CcpSwitches(), vlp_stream=name)
    roles = select_streams("x", load_config(data).datasets["demo"].roles, run)
    assert (roles.cbp, roles.vlp, roles.audio) == (("rgb", "flow"), name, None)
    assert roles.names == tuple(dict.fromkeys(("rgb", "flow", name)))


def test_the_stream_of_the_text_stays_that_of_clip(data: dict[str, Any]) -> None:
    """A run's vlp_stream changes what CCP reads, not which stream sentences are searched in."""
    data["runs"]["clip_ae"]["vlp_stream"] = "rgb"
    config = load_config(data)
    assert config.datasets["demo"].vlp_stream == "clip"


def test_ccp_needs_no_vlp_stream_of_the_dataset_if_it_names_one(data: dict[str, Any]) -> None:
    run = Run(method="clip_ae", ccp=CcpSwitches(), vlp_stream="rgb")
    assert select_streams("x", {"rgb": "cbp"}, run).names == ("rgb",)
