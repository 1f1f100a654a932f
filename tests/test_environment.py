"""pyproject.toml gives ranges, constraints.txt exact pins inside them; the conda environment has the same pins."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tests.builders import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def normal(pin: str) -> str:
    return normal_name(pin.partition("==")[0]) + "==" + pin.partition("==")[2]


def normal_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints() -> set[str]:
    return {normal(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}


def requirements() -> list[Requirement]:
    """Direct dependencies and those of every extra."""
    lines = [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]
    return [requirement for requirement in map(Requirement, lines) if requirement.name != "clip-ae"]


def test_every_direct_dependency_has_a_pin_inside_its_range() -> None:
    pins = dict(pin.split("==") for pin in constraints())
    for requirement in requirements():
        assert Version(pins[normal_name(requirement.name)]) in requirement.specifier, requirement


def test_no_direct_dependency_is_pinned_in_pyproject() -> None:
    """A library with pinned dependencies often cannot be installed together with others."""
    assert not [r for r in requirements() if any(s.operator == "==" for s in r.specifier)]


def test_every_installed_package_is_constrained() -> None:
    from importlib.metadata import distributions

    installed = {normal(f"{d.name}=={d.version}") for d in distributions()}
    own = {pin for pin in installed if pin.startswith(("clip-ae==", "pip==", "setuptools=="))}
    assert not installed - own - constraints()


def test_the_file_with_hashes_has_the_same_pins() -> None:
    lines = (ROOT / "envs/linux-x86_64-py311.txt").read_text().splitlines()
    hashed = [re.fullmatch(r"(\S+==\S+) --hash=sha256:[0-9a-f]{64}", line) for line in lines if line[0] != "#"]
    # torch needs setuptools, which pip has in a new environment and does not list.
    assert {match[1] for match in hashed if match and not match[1].startswith("setuptools==")} == constraints()
    assert None not in hashed


@pytest.mark.slow
def test_two_builds_of_a_commit_are_the_same_bytes(tmp_path: Path) -> None:
    """Needs the package index, for setuptools."""
    recipe = (ROOT / "Makefile").read_text().partition("\nwheel:")[2].partition("\n\t")[2].partition("\n\t@")[0]
    command = recipe.replace("\\\n", "").replace("$(BIN)/python", sys.executable).replace("$$", "$")
    for name in ("one", "two"):
        clone = tmp_path / name
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        (clone / "clip_ae/api.py").touch()
        subprocess.run(command, shell=True, cwd=clone, check=True)
    (one,) = (tmp_path / "one/dist").glob("*.whl")
    assert one.read_bytes() == (tmp_path / "two/dist" / one.name).read_bytes()


def test_conda_has_the_pins_of_the_package_and_the_workflow() -> None:
    environment: dict[str, Any] = yaml.safe_load((ROOT / "envs/clip_ae.yaml").read_text())
    conda = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    wanted = {normal_name(Requirement(line).name) for line in [*PROJECT["dependencies"], *EXTRAS["workflow"]]}
    assert {normal(pin) for pin in conda} == {pin for pin in constraints() if pin.partition("==")[0] in wanted}
    assert "python=3.11" in environment["dependencies"]


def test_what_the_code_imports_is_declared() -> None:
    """Every direct dependency is imported by the package."""
    modules = {
        "huggingface-hub": "huggingface_hub",
        "open-clip-torch": "open_clip",
        "opencv-contrib-python-headless": "cv2",
        "pyyaml": "yaml",
        "scikit-learn": "sklearn",
    }  # fmt: skip
    declared = {normal_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    source = "\n".join(p.read_text() for p in (ROOT / "clip_ae").rglob("*.py"))
    imported = set(re.findall(r"^\s*(?:import|from) ([a-z_0-9]+)", source, re.MULTILINE))
    assert {modules.get(name, name) for name in declared} <= imported
