"""The docs hold: the example of a new encoder is carried out, and the pictures are drawn again and compared."""

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest
import yaml

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.methods import CafSwitches, CcpSwitches, LocalizerConfig, MethodName, Run, with_defaults
from clip_ae.core.types import Instance
from clip_ae.data.annotations import read_annotations
from clip_ae.data.layouts.conventions import CONVENTIONS, FORMS, Convention
from clip_ae.localizers.trainer import create_learner
from clip_ae.workflow.config_files import merge_keys
from docs import pipeline_picture, time_picture
from tests.builders import ROOT, roles_of, shipped_config, video_dataset
from tests.media_files import write_video

# From videos to detections with the new stream alone, by the specs that the workflow would give to the stages.
ENCODER_TRIAL = """
from pathlib import Path
import numpy as np
import torch
import yaml
from clip_ae.core.config.checks import load_config
from clip_ae.core.config.schema import Runtime
from clip_ae.core.config.stages import build_stage_spec
from clip_ae.core.config.streams import FrameEncoder
from clip_ae.data.parquet import read_parquet_provenance, read_rows
from clip_ae.data.shards import read_shard
from clip_ae.encoders.streams import small3d
from clip_ae.stages import cluster, extract, localize, probe, train, weights
from clip_ae.weights.network_file import read_weights_metadata

torch.manual_seed(0)
published = small3d.build().state_dict() | {"classifier.weight": torch.zeros(2, 64)}
torch.save({"state_dict": published}, "small3d.pt")
config = load_config(yaml.safe_load(Path("config.yaml").read_text()))
wildcards = {"name": "small3d_mine", "dataset": "mine", "stream": "small", "run": "weak", "seed": "0", "round": "0"}
def spec(stage):
    return build_stage_spec(config, stage, wildcards)
runtime, videos, shard = Runtime(device="cpu", num_workers=1), Path("videos"), "0000-of-0001"
network, table, features = Path("small3d.safetensors"), Path("probe.parquet"), Path(f"features/small/{shard}.parquet")

assert type(spec("extract").encoder) is FrameEncoder
assert spec("extract").modules == spec("weights").modules == ("clip_ae.encoders.streams.small3d",)
weights.run(spec("weights"), out=network)
assert read_weights_metadata(network)["reads"].startswith("RGB, short side 128, centre crop 112"), network
probe.run(spec("probe"), videos=videos, shard=shard, out=table, failures=Path("probe_failures.parquet"))
extract.run(
    spec("extract"), videos=videos, probe=table, weights=(network,), out=features,
    failures=Path("failures.parquet"), runtime=runtime,
)
assert not read_rows(Path("failures.parquet"))
by_video = {video.video_id: video.feature for video in read_shard(features)}
assert {video.shape for video in by_video.values()} == {(3, 64)}, by_video
assert np.ptp(np.concatenate([*by_video.values()]), axis=0).max() > 0, "all features are equal"
assert "small3d_mine" in read_parquet_provenance(features).inputs

folders, annotations = (Path("features"),), Path("annotations.json")
labels, model = Path("labels.parquet"), Path("model.safetensors")
cluster.run(spec("cluster"), features=folders, shards=1, out=labels, annotations=annotations, device="cpu")
train.run(
    spec("train"), features=folders, shards=1, labels=labels, out=model, log=Path("training.jsonl"), device="cpu"
)
assert read_weights_metadata(model)["localizer_config"]["roles"] == {"cbp": ["small"]}, read_weights_metadata(model)
localize.run(
    spec("localize"), features=folders, shards=1, model=model, annotations=annotations, device="cpu",
    outputs=localize.Outputs(Path("detections.json"), Path("other.json"), Path("curves.parquet")),
)
assert len(read_rows(Path("curves.parquet"))) == 6
"""
KEYS_TRIAL = """
from pathlib import Path
import yaml
from clip_ae.core.config.checks import load_config
from clip_ae.core.config.streams import Small3dEncoder

data = yaml.safe_load(Path("config.yaml").read_text())
data["datasets"]["mine"]["streams"]["small"]["scale"] = 2
encoder = load_config(data).datasets["mine"].encoders["small"]
assert encoder == Small3dEncoder(role="cbp", weights="small3d_mine", scale=2.0), encoder
assert encoder.weights_names == ("small3d_mine",)
"""


def test_the_example_of_a_new_encoder_works(tmp_path: Path) -> None:
    """One file and one row of docs/encoders.md on a copy of the package, then from videos to detections."""
    encoder, row, keys = read_code_blocks("encoders.md", "python")
    *_, config = read_code_blocks("encoders.md", "yaml")
    shutil.copytree(ROOT / "clip_ae", tmp_path / "clip_ae", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "clip_ae/encoders/streams/small3d.py").write_text(encoder)
    [entry] = re.findall(r"^SINGLE_FILE_ENCODERS = {\.\.\., (.*)}$", row, re.MULTILINE)
    insert(tmp_path / "clip_ae/core/config/registry.py", "}\nENCODERS = {", entry)
    assert len(list_changed_modules(tmp_path)) == 2
    write_encoder_project(tmp_path, yaml.safe_load(config))
    run_trial(ENCODER_TRIAL, tmp_path)
    streams = tmp_path / "clip_ae/core/config/streams.py"
    insert(streams, "# The keys of each row of registry.ENCODERS", f"{keys}\n\n")
    insert(streams, '    "i3d": I3dEncoder,', '    "small3d": Small3dEncoder,\n')
    assert len(list_changed_modules(tmp_path)) == 3
    run_trial(KEYS_TRIAL, tmp_path)


def write_encoder_project(folder: Path, config: dict[str, Any]) -> None:
    """config.yaml with the keys of the page, four videos of three snippets, and their annotations."""
    videos = folder / "videos"
    videos.mkdir()
    database: dict[str, Any] = {}
    for number, subset in enumerate(["training", "training", "validation", "validation"]):
        write_video(videos / f"v{number}.mp4", frames=48)
        actions = [{"label": "xy"[number % 2], "segment": [0.0, 1.0]}]
        database[f"v{number}"] = {"subset": subset, "duration": 1.92, "annotations": actions}
    (folder / "annotations.json").write_text(json.dumps({"database": database}))
    keys = {
        "annotations": "annotations.json", "runs": ["weak"], "main_run": "weak", "shards": 1,
        "training": {"snippets": 3, "batch_size": 2, "steps": 3, "width": 4},
    }  # fmt: skip
    config["datasets"]["mine"] = video_dataset("videos", **keys) | config["datasets"]["mine"]
    config["weights"]["small3d_mine"]["source"] = "small3d.pt"
    config["runs"] = {"weak": {"method": "stpn", "supervision": "weak"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def test_the_lines_for_the_files_of_charades_work(tmp_path: Path) -> None:
    """Both blocks of docs/charades.md, on files of the original forms: ids, rows, split, and actions within videos."""
    video_ids = [f"V{number:04d}" for number in range(902)]
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "data/charades").mkdir(parents=True)
    for video_id in video_ids:
        path = tmp_path / "embeddings" / f"{video_id}__ViT-B_32__fps_1.npz"
        np.savez(path, embeddings=np.ones((3, 4), np.float32), timestamps=np.arange(3))
    table = ["id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"]
    facts = 'S,Kitchen,6,7,Yes,"A man, who eats",a;b,He eats.'
    table += [f"{video_id},{facts},c092 0.50 2.00;c147 1.00 4.20,3.10" for video_id in video_ids]
    table[1] = f"V0000,{facts},,3.10"
    table[2] = f"V0001,{facts},c001 3.10 5.00,3.10"
    table += [f"NOROW,{facts},c001 0.00 1.00,9.00"]
    (tmp_path / "data/charades/Charades_v1_test.csv").write_text("\n".join(table))
    for block in read_code_blocks("charades.md", "python"):
        run_trial(block, tmp_path)
    with np.load(tmp_path / "data/charades/charades_clip_b32.npz") as rows:
        assert sorted(rows.files) == video_ids
        assert (rows["V0901"].shape, rows["V0901"].dtype) == ((3, 4), np.float16)
    annotations = read_annotations(tmp_path / "data/charades/charades_test_annotations.json")
    shuffled = np.random.default_rng(0).permutation(902)
    assert {i for i in video_ids if annotations[i].subset == "validation"} == {video_ids[k] for k in shuffled[900:]}
    assert list(annotations) == video_ids
    assert annotations["V0000"].instances == annotations["V0001"].instances == ()
    assert annotations["V0901"].instances == (Instance("c092", 0.5, 2.0), Instance("c147", 1.0, 3.1))


def test_the_networks_of_libraries_on_the_page_are_valid_streams_of_thumos14() -> None:
    data = shipped_config()
    for block in read_code_blocks("encoders.md", "yaml")[:-1]:
        merge_keys(data, yaml.safe_load(block))
    config = load_config(data)
    assert config.datasets["thumos14"].roles == {
        "rgb": "cbp", "flow": "cbp", "clip": "vlp", "audio": "audio", "dino": "cbp", "swin": "cbp"
    }  # fmt: skip
    names = {name for encoder in config.datasets["thumos14"].encoders.values() for name in encoder.weights_names}
    assert {"timm-vit_small_patch14_dinov2-lvd142m", "torchvision-swin3d_t", "siglip"} < names


def test_the_streams_of_the_page_of_frame_encoders_have_its_weights() -> None:
    data = shipped_config()
    for block in read_code_blocks("frame-encoders.md", "yaml")[:2]:
        merge_keys(data, yaml.safe_load(block))
    encoders = load_config(data).datasets["thumos14"].encoders
    assert [encoders[name].weights for name in ("dino", "swin", "clip")] == ["dinov2_s", "swin", "siglip"]


def read_code_blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)


def run_trial(program: str, folder: Path) -> None:
    """Run a program in a folder that has a copy of the package."""
    subprocess.run([sys.executable, "-c", program], cwd=folder, env={"PATH": "/usr/bin:/bin"}, check=True)


HEAD_TRIAL = """
from clip_ae.core.config.checks import load_config
from clip_ae.workflow.config_files import read_config
from pathlib import Path
import jsonschema
import numpy as np
from clip_ae.core.config.schema import Config
from clip_ae.core.config.training import Training
from clip_ae.core.config.dataclass_config import build_json_schema
from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.types import Label, VideoFeatures
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.inference import predict_video
from clip_ae.localizers.trainer import Trainer, create_learner, train_localizer
from clip_ae.localizers.targets import TargetBuilder

data = read_config(Path("configs"), [Path("config.yaml")]).data
data["runs"]["mine"] = {"method": "top1", "losses": {"foreground": 0.5}}
data["runs"]["soft_targets"] = {"method": "ugct", "ugct": {"attention_targets": "soft"}}
load_config(data)
jsonschema.validate(data, build_json_schema(Config))
times, rng = np.arange(6) * 0.64, np.random.default_rng(0)
def video(name):
    x = rng.normal(size=(6, 8)).astype(np.float16)
    return VideoFeatures(name, times, times + 0.64, np.ones(6, np.float32), x)
streams = {name: {i: video(i) for i in "ab"} for name in ("rgb", "flow")}
roles, dims = StreamRoles(("rgb", "flow")), {"rgb": 8, "flow": 8}
plan = LocalizerConfig(method="top1", roles=roles, dims=dims, labels=("x", "y"), width=4, num_videos=2)
table = FeatureTable(streams, "cpu")
targets = TargetBuilder([Label("a", 0, "x"), Label("b", 1, "y")], table.video_ids, 2)
settings = Training(snippets=6, batch_size=2, steps=3, log_every=3)
trainer = Trainer(create_learner(plan, 3, 0), table, targets, settings, {}, 0, "cpu")
[line] = train_localizer(trainer)
assert set(line) == {"step", "foreground", "total", "diagnostics"}, line
assert predict_video(trainer.learner.final_localizer.eval(), table, "a", stream_weights={}).activation.shape == (6, 2)
"""


def test_the_example_of_a_new_head_works(tmp_path: Path) -> None:
    """One file and the two lines of docs/methods.md on a copy of the package, then a training and its curves."""
    shutil.copytree(ROOT / "clip_ae", tmp_path / "clip_ae", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "config.yaml", tmp_path / "config.yaml")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    head, lines = re.findall(r"```python\n(.*?)```", (ROOT / "docs/methods.md").read_text(), re.DOTALL)
    (tmp_path / "clip_ae/localizers/heads/top1.py").write_text(head)
    tables = tmp_path / "clip_ae/core/config/registry.py"
    for name, entry in re.findall(r"^(\w+) = {\.\.\., (.*)}$", lines, re.MULTILINE):
        source = tables.read_text()
        assert source.count(f"{name} = {{\n") == 1
        tables.write_text(source.replace(f"{name} = {{\n", f"{name} = {{\n    {entry},\n"))
    assert len(list_changed_files(tmp_path)) == 2
    subprocess.run([sys.executable, "-c", HEAD_TRIAL], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, check=True)


STAGE_TRIAL = """
import json
from pathlib import Path
from clip_ae import cli
from clip_ae.core.config.stages import find_output

Path("d.json").write_text(json.dumps({"results": {"v": [
    {"label": "jump", "score": 0.9, "segment": [0, 1]}, {"label": "jump", "score": 0.1, "segment": [2, 3]},
    {"label": "run", "score": 0.5, "segment": [4, 5]}]}}))
words = ["count_detections", "--detections", "d.json", "--out", "results/demo_counts.json"]
assert cli.main([*words, "--set", "min_score=0.3"]) == 0
content = json.loads(Path("results/demo_counts.json").read_text())
assert content["counts"] == {"jump": 1, "run": 1}, content
assert find_output("results/demo_counts.json") == ("count_detections", {"dataset": "demo"})
assert cli.main(["explain", "results/demo_counts.json"]) == 0
"""


def test_the_example_of_a_new_stage_works(tmp_path: Path) -> None:
    """The five files of docs/new-stage.md on a copy of the project; the command, then the DAG with the rule."""
    for name in ("clip_ae", "configs", "workflow", "envs", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    path, spec, declaration, command, rule = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/new-stage.md").read_text(), re.DOTALL
    )
    config = tmp_path / "clip_ae/core/config"
    insert(tmp_path / "clip_ae/core/paths.py", "GROUNDING = ", path)
    append(config / "specs.py", spec)
    insert(config / "stage_specs.py", "    DiagnoseSpec,\n", "    CountDetectionsSpec,\n")
    append(config / "stage_specs.py", declaration)
    (tmp_path / "clip_ae/stages/count_detections.py").write_text(command)
    append(tmp_path / "workflow/rules/report.smk", rule)
    assert len(list_changed_files(tmp_path)) == 5
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", STAGE_TRIAL], cwd=tmp_path, env=environment, check=True)
    (tmp_path / "results/demo_counts.json").unlink()
    plan = subprocess.run(
        ["snakemake", "--dry-run", "--cores", "1", "results/demo_counts.json"],
        cwd=tmp_path, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert re.search(r"^ +1  count_detections: missing", plan.stderr, re.MULTILINE)


def list_changed_files(copy: Path) -> list[Path]:
    """Files of a copy of the project that are new or differ."""
    paths = [p.relative_to(copy) for p in copy.rglob("*") if p.is_file() and p.suffix in (".py", ".smk", ".yaml")]
    return [p for p in paths if not (ROOT / p).is_file() or (ROOT / p).read_bytes() != (copy / p).read_bytes()]


def list_changed_modules(copy: Path) -> list[Path]:
    return [path for path in list_changed_files(copy) if path.suffix == ".py"]


def append(path: Path, text: str) -> None:
    path.write_text(f"{path.read_text()}\n\n{text}")


def insert(path: Path, before: str, text: str) -> None:
    source = path.read_text()
    assert source.count(before) == 1, before
    path.write_text(source.replace(before, text + before))


SCRIPTS = sorted([*(ROOT / "docs").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")])


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_what_a_script_imports_from_the_package_is_there(path: Path) -> None:
    """No other test runs the scripts that draw pictures and measure."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clip_ae"):
            module = importlib.import_module(node.module or "")
            assert not [a.name for a in node.names if not hasattr(module, a.name) and not submodule(module, a.name)]


def submodule(module: ModuleType, name: str) -> bool:
    return importlib.util.find_spec(f"{module.__name__}.{name}") is not None


def test_time_is_drawn_as_the_grid_has_it() -> None:
    assert time_picture.draw() == (ROOT / "docs/time.svg").read_text()


def test_the_pipeline_picture_is_what_its_script_draws() -> None:
    assert pipeline_picture.draw() == (ROOT / "docs/pipeline.svg").read_text()


def test_losses_and_their_weights_stand_in_the_page_as_in_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+ [\d.]+(?:, \w+ [\d.]+)*) \|$", (ROOT / "docs/methods.md").read_text(), re.M)
    stated = {name: {k: float(v) for k, v in re.findall(r"(\w+) ([\d.]+)", words)} for name, words in rows}
    modules: dict[str, Any] = {"caf": CafSwitches(), "ccp": CcpSwitches()}
    dims = {"rgb": 4, "flow": 4, "clip": 4, "audio": 4}
    found = {}
    for method in (name for name in get_args(MethodName) if name != "ridge"):
        run = Run(method=method, **(modules if method == "clip_ae" else {}))
        plan = LocalizerConfig(
            method=method,
            roles=roles_of(dims),
            dims=dims,
            labels=("x", "y"),
            width=4,
            num_videos=2,
            **with_defaults(run),
        )
        found[method] = dict(create_learner(plan, 3, 0).loss_weights)
    assert stated == found


def test_every_kind_of_failure_is_explained() -> None:
    """Kinds are the first words of what is raised, said by a decoder or reported."""
    code = "".join(
        path.read_text()
        for part in ("core", "data", "media", "pipeline", "stages")
        for path in (ROOT / "clip_ae" / part).rglob("*.py")
    )
    forms = (
        r'Unreadable\(\s*"([\w-]+)"',
        r'failure="([\w-]+)"',
        r'Failure\([^()]+, [^()]*?"([a-z-]+)"(?:, \w+)?\)',
        r'_failed\(\w+, \w+, "([\w-]+)"',
    )
    kinds = {kind for form in forms for kind in re.findall(form, code)} - {"probe", "catalog"}
    text = (ROOT / "docs/data-formats.md").read_text()
    table = text[text.index("## Failures") : text.index("A link is read as")]
    told = {
        word
        for row in table.splitlines()
        for word in re.findall(r"`([a-z-]+)`", row.split("|")[1] if "|" in row else "")
    }
    assert kinds == told


FEATURES_PAGE = (ROOT / "docs/features.md").read_text()


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.name)
def test_the_page_of_features_has_the_published_grids(convention: Convention) -> None:
    grid = convention.grid
    cells = (
        f"`{convention.layout}`",
        convention.name,
        f"`{{fps: {grid.fps:g}, frames: {grid.frames}, stride: {grid.stride}}}`",
        convention.source,
    )
    assert f"| {' | '.join(cells)} |" in FEATURES_PAGE


def test_the_page_of_features_has_config_lines_for_each_layout() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", FEATURES_PAGE, re.DOTALL)
    assert [re.findall(r"# (\w+)\n", block)[0] for block in blocks] == list(FORMS)
    for block in blocks:
        [(name, dataset)] = yaml.safe_load(block).items()
        data = shipped_config()
        data["datasets"][name] = dataset | {"annotations": "x", "classes": 2, "runs": ["stpn"], "main_run": "stpn"}
        assert load_config(data).datasets[name].features_dir
    for name in FORMS:
        assert f"\n| `{name}` | " in FEATURES_PAGE


def test_the_index_of_decisions_lists_every_record():
    text = (ROOT / "docs/decisions.md").read_text()
    index, _, records = text.partition("\n## Code\n")
    titles = re.findall(r"^### (.+)$", records, re.MULTILINE)
    assert re.findall(r"\[([^]]+)\]\(#", index) == titles
