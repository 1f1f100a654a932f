"""Time of the README's command in a fresh clone, with installation."""

import subprocess
import tempfile
from pathlib import Path

from benchmarks.measure import ROOT, print_result, run_measured


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        clone_dir = Path(name) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone_dir)], check=True)
        seconds, _, code = run_measured(["make", "demo"], clone_dir)
        if code:
            raise SystemExit("make demo failed")
        print_result("cold make demo, installation included", seconds, "s", goal=420)
        seconds, _, code = run_measured(["make", "demo"], clone_dir)
        if code:
            raise SystemExit("make demo failed the second time")
        print_result("make demo with nothing to do", seconds, "s", goal=5)
