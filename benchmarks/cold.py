"""A fresh clone, the README's command, a stop-watch."""

import subprocess
import tempfile
from pathlib import Path

from benchmarks.measure import ROOT, measured, tell


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        seconds, _, code = measured(["make", "demo"], folder)
        assert code == 0, "make demo failed"
        tell("cold make demo, installation included", seconds, "s", 420)
        seconds, _, code = measured(["make", "demo"], folder)
        assert code == 0, "make demo failed the second time"
        tell("make demo with nothing to do", seconds, "s", 5)
