"""The whole workflow, on a tiny scenario, computes what the golden file holds, from generated videos to map.json.

On the kind of machine of the golden file, every number must be equal bit for bit. On another one, tolerances
hold for features, and training is not compared: it amplifies rounding (tests.golden.make_numbers.elsewhere).

To make the golden file anew, after a change that is meant to change numbers: python -m tests.golden.make_numbers
"""

from pathlib import Path

import pytest

from tests.golden import arrays
from tests.golden.make_numbers import GOLDEN, MACHINE, THREADS, collect, compare, run_scenario


@pytest.mark.slow
def test_the_workflow_computes_its_golden_numbers(tmp_path: Path) -> None:
    run_scenario(tmp_path / "project")
    golden_machine = arrays.load_machine(MACHINE)
    lines = compare(arrays.load(GOLDEN), collect(tmp_path / "project"), golden_machine)
    rule = (
        "compared bit for bit"
        if arrays.machine(THREADS) == golden_machine
        else "another kind of machine: features by tolerance, shapes alone of what training amplifies"
    )
    assert not lines, arrays.message(
        lines, f"{rule}; after a rename, edit the table at the top of tests/golden/make_numbers.py"
    )
