"""The docs hold: the example of a new encoder is carried out, and the pictures are drawn again and compared."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
import yaml

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.methods import CafSwitches, CcpSwitches, LocalizerConfig, MethodName, Run, with_defaults
from clip_ae.data.layouts.conventions import CONVENTIONS, FORMS, Convention
from clip_ae.localizers.trainer import create_learner
from docs import pipeline_picture, time_picture
from tests.builders import ROOT, roles_of, shipped_config

TRIAL = """
from pathlib import Path
import numpy as np
import torch
from clip_ae.core.config.schema import R2plus1dOptions, Weights
from clip_ae.core.config.streams import R2plus1dEncoder
from clip_ae.core.provenance import digest_stage_code
from clip_ae.core.config.specs import ExtractSpec, WeightsSpec
from clip_ae.core.config.registry import ENCODERS, NETWORKS, load_module
from clip_ae.weights.network_file import read_weights
from clip_ae.stages import weights

digest_stage_code("extract", ExtractSpec("fast", R2plus1dEncoder()).modules)
torch.save(load_module(NETWORKS["r2plus1d"]).build(R2plus1dOptions()).state_dict(), "published.pth")
spec = WeightsSpec("mine", Weights(source="published.pth", r2plus1d=R2plus1dOptions()))
weights.run(spec, out=Path("mine.safetensors"))
network = read_weights(Path("mine.safetensors"))
encoder = load_module(ENCODERS["r2plus1d"]).build_stream(encoder=R2plus1dEncoder(), networks=[network], device="cpu")
window = np.random.default_rng(0).integers(0, 256, (16, encoder.frame_size, 170, 3), dtype=np.uint8)
batch = np.stack([encoder.prepare(window)] * 2)
features = encoder.encode(batch)
assert features.shape == (2, encoder.dim) and np.isfinite(features).all(), features.shape
"""


def test_the_example_of_a_new_encoder_works(tmp_path: Path) -> None:
    """All steps of docs/encoders.md on a copy of the package, then one batch through it."""
    shutil.copytree(ROOT / "clip_ae", tmp_path / "clip_ae", ignore=shutil.ignore_patterns("__pycache__"))
    network, stream, names = re.findall(r"```python\n(.*?)```", (ROOT / "docs/encoders.md").read_text(), re.DOTALL)
    package = tmp_path / "clip_ae"
    (package / "encoders/networks/r2plus1d.py").write_text(network)
    (package / "encoders/streams/r2plus1d.py").write_text(stream)
    config, tables = package / "core/config/schema.py", package / "core/config/registry.py"
    options, encoder = names.split("\n\n\n")
    insert(config, "@dataclass(frozen=True)\nclass Weights:", f"{options}\n\n\n")
    streams = package / "core/config/streams.py"
    insert(streams, "# The keys of each row of registry.ENCODERS.", f"{encoder}\n\n")
    insert(streams, '    "i3d": I3dEncoder,', '    "r2plus1d": R2plus1dEncoder,\n')
    insert(config, "    integrity: str | None", '    r2plus1d: R2plus1dOptions | None = key(None, "R(2+1)D")\n')
    insert(config, '"i3d", "clip", "vggish"', '"r2plus1d", ')
    for table in ("networks", "streams"):
        insert(
            tables, f'    "clip": "clip_ae.encoders.{table}', f'    "r2plus1d": "clip_ae.encoders.{table}.r2plus1d",\n'
        )
    assert len(list_changed_files(tmp_path)) == 5
    subprocess.run([sys.executable, "-c", TRIAL], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, check=True)


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
    assert re.search(r"^count_detections +1$", plan.stdout, re.MULTILINE)


def list_changed_files(copy: Path) -> list[Path]:
    """Files of a copy of the project that are new or differ."""
    paths = [p.relative_to(copy) for p in copy.rglob("*") if p.is_file() and p.suffix in (".py", ".smk", ".yaml")]
    return [p for p in paths if not (ROOT / p).is_file() or (ROOT / p).read_bytes() != (copy / p).read_bytes()]


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
    for method in get_args(MethodName):
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
