"""Imports follow the table ALLOWED. Read from the syntax trees, so imports inside functions count too."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import ROOT

NETWORK_PACKAGES = {"encoders", "losses", "localizers", "language"}
FILE_PACKAGES = {"media", "data", "weights"}
TORCH_FREE_PACKAGES = {"clustering", "proposals", "scoring", "worlds", "pages"}
LIBRARY_PACKAGES = {"core", *FILE_PACKAGES, "provenance", *NETWORK_PACKAGES, *TORCH_FREE_PACKAGES}
# Package -> the packages that it may import.
ALLOWED = {
    "core": {"core"},
    **{package: {package, "core"} for package in FILE_PACKAGES},
    "provenance": {"provenance", "core", "data", "weights"},
    "encoders": {"encoders", "core"},
    "losses": {"losses", "core"},
    "localizers": {"localizers", "losses", "core"},
    "language": {"language", "localizers", "losses", "core"},
    **{package: {package, "core"} for package in TORCH_FREE_PACKAGES},
    # What the rules' helpers need: the Snakefile imports them in every cluster job.
    "workflow": {"workflow", "core", "data"},
    "pipeline": {"pipeline", *LIBRARY_PACKAGES},
    # No stage imports a stage, no tool a tool or a stage: what they share is in pipeline.
    "stages": {"pipeline", *LIBRARY_PACKAGES},
    "tools": {"pipeline", "workflow", *LIBRARY_PACKAGES},
    "api": {"pipeline", "workflow", *LIBRARY_PACKAGES},
    # cli knows commands by name and loads the chosen one.
    "cli": {"core"},
    "__main__": {"cli"},
}
MODULES = sorted(p for p in (ROOT / "clip_ae").rglob("*.py") if p.name != "__init__.py")


def package_of(path: Path) -> str:
    return path.relative_to(ROOT / "clip_ae").parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute, so that digests can follow them"
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    packages = {name.split(".")[1] for name in imports_of(path) if name.startswith("clip_ae.")}
    assert packages <= ALLOWED[package_of(path)], f"{path}: imports {packages - ALLOWED[package_of(path)]}"


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if package_of(p) not in NETWORK_PACKAGES | {"pipeline", "stages", "tools", "api"}],
    ids=str,
)
def test_torch_stays_in_the_nets(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert not roots & {"torch", "torchvision", "torchaudio", "open_clip"}, path


def test_init_files_of_sub_packages_are_empty() -> None:
    # A code digest follows import statements: code in a package's __init__ would be missed.
    assert not [p for p in (ROOT / "clip_ae").glob("*/**/__init__.py") if p.read_text()]


@pytest.mark.parametrize(
    "package", ["core", *sorted(FILE_PACKAGES), "provenance", "workflow", *sorted(TORCH_FREE_PACKAGES)]
)
def test_light_rooms_import_without_heavy_libraries(package: str) -> None:
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in MODULES if package_of(p) == package]
    heavy = "['torch', 'scipy', 'sklearn', 'open_clip', 'cv2']"
    program = f"import {', '.join(names)}, sys; print([m for m in {heavy} if m in sys.modules])"
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert completed.stdout.strip() == "[]"


def test_help_needs_no_library_at_all() -> None:
    program = "import sys; from clip_ae.cli import main; main(['--help']); print(sorted(sys.modules))"
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"torch", "numpy", "pyarrow", "yaml"} & set(ast.literal_eval(completed.stdout.splitlines()[-1]))


def test_functions_are_short_and_take_few_parameters() -> None:
    functions = [
        (path, node)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    long = [f"{path}: {n.name}" for path, n in functions if (n.end_lineno or 0) - n.lineno >= 50]
    # `self` and `cls` are not counted.
    wide = [
        f"{path}: {n.name}"
        for path, n in functions
        if len({a.arg for a in [*n.args.posonlyargs, *n.args.args, *n.args.kwonlyargs]} - {"self", "cls"}) > 8
    ]
    assert not [*long, *wide]


def test_every_stage_has_its_rule_its_log_and_its_benchmark() -> None:
    from clip_ae.cli import STAGES

    rules = "\n".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk"))
    for stage in STAGES:
        assert f"\nrule {stage}:" in rules
        assert f"python -m clip_ae {stage} " in rules
        assert f"/logs/{stage}" in rules
        assert f"/benchmarks/{stage}" in rules
        assert (ROOT / f"clip_ae/stages/{stage}.py").exists()
