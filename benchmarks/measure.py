"""Time and peak memory of a command, by the accounting of the operating system; time of a call; one line per result."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
# ru_maxrss is in KiB.
KIB = 1024
T = TypeVar("T")


def run_measured(command: Sequence[str], folder: Path) -> tuple[float, float, int]:
    """(wall seconds, peak MB of the largest process, exit status)."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss * KIB / 1e6, os.waitstatus_to_exitcode(status)


def run_median(command: Sequence[str], folder: Path, runs: int = 5) -> tuple[float, float]:
    """(median wall seconds, peak MB) over successful runs, after a first run that is not counted."""
    results = [run_measured(command, folder) for _ in range(runs + 1)][1:]
    if any(code for _, _, code in results):
        raise SystemExit(f"{command}: failed")
    return statistics.median(r[0] for r in results), max(r[1] for r in results)


def measure_seconds(run: Callable[[], object]) -> float:
    return measure_seconds_and_result(run)[0]


def measure_seconds_and_result(run: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def print_result(name: str, value: float, unit: str, goal: float | None = None) -> None:
    """Print one result, with its goal."""
    goal_text = f"   goal {goal:g} {unit}" if goal is not None else ""
    print(f"{name:58} {value:9.5g} {unit}{goal_text}", flush=True)
