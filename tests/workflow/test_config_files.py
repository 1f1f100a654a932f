"""The config's two layers: what overrides what, and errors that name file and line."""

from pathlib import Path
from typing import Any

import pytest

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.renamed_keys import RENAMED_KEYS
from clip_ae.core.errors import UserError
from clip_ae.workflow.config_files import load_merged, parse_config_file, read_config
from tests.builders import ROOT, shipped_config


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def error_of(*files: Path, values: dict[str, Any] | None = None) -> str:
    """The error of the shipped config with own files over it."""
    with pytest.raises(UserError) as caught:
        load_merged(read_config(ROOT / "configs", [ROOT / "config.yaml", *files], values))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_later_files_override_single_keys(tmp_path: Path) -> None:
    own = write(tmp_path / "own.yaml", "datasets:\n  demo:\n    training: {steps: 7}\n")
    config = load_merged(read_config(ROOT / "configs", [ROOT / "config.yaml", own], {"torch_threads": 1}))
    assert config.datasets["demo"].training.steps == 7
    assert config.datasets["demo"].training.learning_rate == 0.002
    assert config.torch_threads == 1


def test_the_shipped_files_are_small_and_apart() -> None:
    assert len((ROOT / "config.yaml").read_text().splitlines()) <= 120
    assert len((ROOT / "workflow/rules/common.smk").read_text().splitlines()) <= 200
    assert "demo" not in parse_config_file(ROOT / "config.yaml").data["datasets"]


def test_the_same_key_in_two_shipped_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "configs/a.yaml", "runs:\n  x: {method: stpn}\n")
    write(tmp_path / "configs/b.yaml", "runs:\n  x: {method: tscn}\n")
    with pytest.raises(UserError, match=r"b.yaml:2: 'runs.x.method' is also set in .*a.yaml:2"):
        read_config(tmp_path / "configs", [])


def test_an_anchor_of_ones_own_works(tmp_path: Path) -> None:
    own = write(
        tmp_path / "own.yaml",
        "datasets:\n  demo:\n    training: &short {steps: 5}\n  simulated:\n    training: {<<: *short, width: 8}\n",
    )
    config = load_merged(read_config(ROOT / "configs", [ROOT / "config.yaml", own]))
    assert (config.datasets["simulated"].training.steps, config.datasets["simulated"].training.width) == (5, 8)
    assert config.datasets["demo"].training.width == 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("runs:\n  x: *nowhere\n", r"own.yaml:2: not YAML \(found undefined alias 'nowhere'\)"),
        ("runs:\n\tx: 1\n", r"own.yaml:2: not YAML"),
        ("torch_threads: 1\ntorch_threads: 2\n", "own.yaml:2: 'torch_threads' is given twice"),
        ("? [a, b]\n: 1\n", r"own.yaml: not YAML \(unhashable"),
        ("- a list\n", "own.yaml: expected keys and values at the top level"),
        (
            "datasets:\n  demo:\n    trainng: {}\n",
            "own.yaml:3: datasets.demo.trainng: unknown key; did you mean 'training'",
        ),
        ("datasets:\n  demo:\n    training:\n      steps: 0\n", "own.yaml:4: datasets.demo.training.steps: 0 must be"),
        ("datasets:\n  new: {runs: [stpn]}\n", "own.yaml:2: datasets.new.classes: missing"),
        ("datasets:\n  demo:\n    headline: clip_ae\n", "own.yaml:3: datasets.demo.headline: .* `main_run`"),
        ("runs:\n  ugct: {ugct: {ema: 0.9}}\n", "own.yaml:2: runs.ugct.ugct.ema: .* `ema_decay`"),
        ("runs:\n  ugct: {training: {batch: 8}}\n", "own.yaml:2: runs.ugct.training.batch: .* `batch_size`"),
    ],
)
def test_an_error_names_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    import re

    assert re.search(words, error_of(write(tmp_path / "own.yaml", text)))


def test_an_error_of_a_command_line_value_says_so() -> None:
    assert error_of(values={"nonsense": 1}).startswith("--config: nonsense: unknown key")


def test_every_renamed_key_leads_to_a_key_that_exists() -> None:
    from clip_ae.core.config import dataclass_config, feature_adapters, methods, schema, streams, training

    modules = (schema, streams, methods, feature_adapters, training, dataclass_config)
    for name, keys in RENAMED_KEYS.items():
        cls = next(getattr(module, name) for module in modules if hasattr(module, name))
        fields = cls.__dataclass_fields__
        assert set(keys.values()) <= set(fields), name
        assert not set(keys) & set(fields), name


@pytest.mark.parametrize(
    ("section", "key", "value"), [("training", "steps", 9), ("localization", "class_threshold", 0.7)]
)
def test_a_run_overrides_single_keys_of_its_dataset(section: str, key: str, value: float) -> None:
    from clip_ae.core.config.stages import build_stage_spec

    data = shipped_config()
    data["runs"]["ugct"][section] = {key: value}
    config = load_config(data)
    stage = {"training": "train", "localization": "localize"}[section]
    changed = getattr(build_stage_spec(config, stage, {"dataset": "thumos14", "run": "ugct", "seed": "0"}), section)
    others = getattr(build_stage_spec(config, stage, {"dataset": "thumos14", "run": "tscn", "seed": "0"}), section)
    assert getattr(changed, key) == value
    assert getattr(others, key) != value
    assert getattr(config.datasets["thumos14"], section) == others


def test_aliases_that_grow_without_end_are_refused_in_time(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"] + [f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}" for n in range(1, 24)]
    with pytest.raises(UserError, match="nested more than 8 deep"):
        parse_config_file(write(tmp_path / "own.yaml", "\n".join(lines)))
