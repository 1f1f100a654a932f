"""Imports only go down. Read from the syntax trees, so that an import inside a function counts too."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NETS = {"encoders", "losses", "localizers", "language"}
FILES = {"media", "data", "weights"}
SCIENCE = {"clustering", "proposals", "scoring", "worlds", "pages"}
BELOW = {"core", *FILES, "provenance", *NETS, *SCIENCE}
# Room -> the rooms that it may import.
ALLOWED = {
    "core": {"core"},
    **{room: {room, "core"} for room in FILES},
    "provenance": {"provenance", "core", "data", "weights"},
    "encoders": {"encoders", "core"},
    "losses": {"losses", "core"},
    "localizers": {"localizers", "losses", "core"},
    "language": {"language", "localizers", "losses", "core"},
    **{room: {room, "core"} for room in SCIENCE},
    # What the rules' helpers need: the Snakefile imports them in every cluster job.
    "workflow": {"workflow", "core", "data"},
    "pipeline": {"pipeline", *BELOW},
    # No stage imports a stage, no tool a tool or a stage: what they share is in pipeline.
    "stages": {"pipeline", *BELOW},
    "tools": {"pipeline", "workflow", *BELOW},
    "api": {"pipeline", "workflow", *BELOW},
    # cli knows commands by name and loads the chosen one.
    "cli": {"core"},
    "__main__": {"cli"},
}
MODULES = sorted(p for p in (ROOT / "clip_ae").rglob("*.py") if p.name != "__init__.py")


def room_of(path: Path) -> str:
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
    rooms = {name.split(".")[1] for name in imports_of(path) if name.startswith("clip_ae.")}
    assert rooms <= ALLOWED[room_of(path)], f"{path}: imports {rooms - ALLOWED[room_of(path)]}"


@pytest.mark.parametrize(
    "path", [p for p in MODULES if room_of(p) not in NETS | {"pipeline", "stages", "tools", "api"}], ids=str
)
def test_torch_stays_in_the_nets(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert not roots & {"torch", "torchvision", "torchaudio", "open_clip"}, path


def test_init_files_of_sub_packages_are_empty() -> None:
    # A code digest follows import statements: code in a package's __init__ would be missed.
    assert not [p for p in (ROOT / "clip_ae").glob("*/**/__init__.py") if p.read_text()]


@pytest.mark.parametrize("room", ["core", *sorted(FILES), "provenance", "workflow", *sorted(SCIENCE)])
def test_light_rooms_import_without_heavy_libraries(room: str) -> None:
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in MODULES if room_of(p) == room]
    heavy = "['torch', 'scipy', 'sklearn', 'open_clip', 'cv2']"
    program = f"import {', '.join(names)}, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_help_needs_no_library_at_all() -> None:
    program = "import sys; from clip_ae.cli import main; main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"torch", "numpy", "pyarrow", "yaml"} & set(ast.literal_eval(done.stdout.splitlines()[-1]))


def test_every_stage_has_its_rule_its_log_and_its_benchmark() -> None:
    from clip_ae.cli import STAGES

    rules = "\n".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk"))
    for stage in STAGES:
        assert f"\nrule {stage}:" in rules
        assert f"python -m clip_ae {stage} " in rules
        assert f"/logs/{stage}" in rules
        assert f"/benchmarks/{stage}" in rules
        assert (ROOT / f"clip_ae/stages/{stage}.py").exists()
