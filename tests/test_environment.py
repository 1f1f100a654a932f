"""Pins are exact, and stand once: pyproject, the constraints and the conda environment agree."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(pin: str) -> str:
    return re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() + "==" + pin.partition("==")[2]


def constraints() -> set[str]:
    return {normal(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}


def test_direct_dependencies_are_pinned_and_constrained() -> None:
    extras = [pin for pins in PROJECT["optional-dependencies"].values() for pin in pins]
    pins = {*PROJECT["dependencies"], *extras} - {"clip-ae[slurm,tensorboard]"}
    assert all("==" in pin for pin in pins)
    assert {normal(pin) for pin in pins} <= constraints()


def test_every_installed_package_is_constrained() -> None:
    from importlib.metadata import distributions

    installed = {normal(f"{d.name}=={d.version}") for d in distributions()}
    own = {pin for pin in installed if pin.startswith(("clip-ae==", "pip==", "setuptools=="))}
    assert not installed - own - constraints()


def test_conda_has_the_same_pins() -> None:
    environment: dict[str, Any] = yaml.safe_load((ROOT / "envs/clip_ae.yaml").read_text())
    conda = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert sorted(conda) == sorted(PROJECT["dependencies"])
    assert "python=3.11" in environment["dependencies"]


def test_what_the_code_imports_is_declared() -> None:
    """Every direct dependency is imported by us, or (None) comes with another: jsonschema with snakemake, whose
    reports want pygments, ..."""
    names = {
        "av": "av", "decord": "decord", "jsonschema": None, "numpy": "numpy", "open-clip-torch": "open_clip",
        "opencv-contrib-python-headless": "cv2", "pyarrow": "pyarrow", "pygments": None, "pyyaml": "yaml",
        "safetensors": "safetensors",
        "scikit-learn": "sklearn", "scipy": "scipy", "snakemake": None, "torch": "torch", "torchaudio": "torchaudio",
        "torchvision": None, "tqdm": "tqdm", "threadpoolctl": "threadpoolctl",
    }  # fmt: skip
    declared = {normal(pin).partition("==")[0] for pin in PROJECT["dependencies"]}
    assert declared == set(names)
    source = "\n".join(p.read_text() for p in (ROOT / "clip_ae").rglob("*.py"))
    imported = set(re.findall(r"^\s*(?:import|from) ([a-z_0-9]+)", source, re.MULTILINE))
    assert {module for module in names.values() if module} <= imported
