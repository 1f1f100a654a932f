"""The notebook, and the Python of README and docs/python.md, run on the results of the tiny demo."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, Project


def run_python(program: str, project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=project.folder,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(project.folder)},
    )
    assert done.returncode == 0, done.stderr


def test_the_notebook_runs_on_the_demo(finished: Project) -> None:
    pytest.importorskip("pandas")
    notebook = json.loads((ROOT / "examples/first_look.ipynb").read_text())
    run_python("\n".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"), finished)


def blocks(path: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL)


@pytest.mark.parametrize(
    "block",
    [b for page in ("README.md", "docs/python.md") for b in blocks(ROOT / page)],
    ids=lambda b: b.split("\n")[2],
)
def test_python_examples_run_on_the_demo(finished: Project, block: str) -> None:
    pytest.importorskip("pandas")
    run_python(block, finished)
