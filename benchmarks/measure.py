"""A command's wall time and peak memory, from the operating system's own account of it."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def measured(command: Sequence[str], folder: Path) -> tuple[float, float, int]:
    """Wall seconds, peak MB of the largest process, exit status."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss / 1000, os.waitstatus_to_exitcode(status)


def median(command: Sequence[str], folder: Path, runs: int = 5) -> tuple[float, float]:
    """Medians over runs that all succeed, after one that is not counted."""
    results = [measured(command, folder) for _ in range(runs + 1)][1:]
    assert all(code == 0 for _, _, code in results), command
    return statistics.median(r[0] for r in results), max(r[1] for r in results)


def tell(name: str, value: float, unit: str, goal: float | None = None) -> None:
    aim = f"   goal {goal:g} {unit}" if goal is not None else ""
    print(f"{name:58} {value:9.5g} {unit}{aim}", flush=True)
