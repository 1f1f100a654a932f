"""Every loader reads a changed file, or refuses it by an error of the project. `-m tests.fuzzing` runs longer."""

import subprocess
import sys
from pathlib import Path

import pytest

from clip_ae.core.errors import RefusedInput
from tests.builders import ROOT
from tests.fuzzing.__main__ import find_fault, fuzz
from tests.fuzzing.seeds import FORMATS, Format


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.filterwarnings("ignore")
def test_changed_files_are_read_or_refused(name: str) -> None:
    assert [fault for _, fault in fuzz(FORMATS[name], 500, seed=0)] == []


@pytest.mark.parametrize("name", FORMATS)
def test_the_files_that_fuzzing_starts_from_are_read(name: str, tmp_path: Path) -> None:
    form = FORMATS[name]
    for number, write in enumerate(form.writers):
        path = tmp_path / str(number) / form.file_name
        path.parent.mkdir()
        write(path)
        assert any(is_read(form, path, k) for k in range(len(form.readers)))


def is_read(form: Format, path: Path, number: int) -> bool:
    try:
        form.readers[number](path)
    except Exception:
        return False
    return True


def test_a_traceback_is_a_fault_with_its_place(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        raise RuntimeError(path)

    def refuse(path: Path) -> None:
        raise RefusedInput(f"{path}: broken")

    def refuse_in_two_lines(path: Path) -> None:
        raise RefusedInput(f"{path}:\nbroken")

    assert find_fault(Format("x", (), (refuse, fail)), tmp_path) == "RuntimeError at no line of ours"
    assert find_fault(Format("x", (), (refuse,)), tmp_path) == ""
    assert "more than one line" in find_fault(Format("x", (), (refuse_in_two_lines,)), tmp_path)


def test_a_file_that_needs_a_gigabyte_is_a_fault() -> None:
    """In a process of its own: the peak of a process never falls."""
    program = (
        "from tests.fuzzing.__main__ import fuzz; from tests.fuzzing.seeds import Format; import numpy as np\n"
        "grow = lambda path: len(path.read_bytes()) > 100 and np.ones(160_000_000).sum()\n"
        "form = Format('x', (lambda path: path.write_bytes(bytes(90)),), (grow,))\n"
        "print([fault for _, fault in fuzz(form, 200, 0)])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "needs more than a GB" in done.stdout


@pytest.mark.slow
def test_many_changed_files_of_each_format_below_a_gigabyte() -> None:
    """In a process of its own, whose memory is limited."""
    command = [sys.executable, "-m", "tests.fuzzing", "50000", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
