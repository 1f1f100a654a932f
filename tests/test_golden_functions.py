"""Functions of the package return what the golden file holds: losses, heads, networks, proposals, scoring.

To make the golden file anew, after a change that is meant to change numbers: python -m tests.golden.make_functions
"""

from tests.golden import arrays
from tests.golden.make_functions import GOLDEN, MACHINE, compare, compute


def test_every_function_returns_its_golden_numbers() -> None:
    lines = compare(arrays.load(GOLDEN), compute(), arrays.load_machine(MACHINE))
    assert not lines, arrays.message(
        lines, "after a rename, edit the table at the top of tests/golden/make_functions.py"
    )
