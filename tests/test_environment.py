"""pyproject.toml gives ranges, constraints.txt exact pins inside them; the conda environment has the same pins."""

import re
import tomllib
from typing import Any

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
