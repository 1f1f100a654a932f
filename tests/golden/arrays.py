"""Golden files: read and write named arrays, describe the machine, compare two sets of arrays."""

import hashlib
import importlib.metadata
import json
import os
import platform
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]
Machine = dict[str, Any]
# Returns what is wrong with an array, from its name, its golden values and its values now; None if nothing is.
Rule = Callable[[str, Array, Array], str | None]

# Libraries whose arithmetic is in the numbers.
LIBRARIES = (
    "av", "decord", "numpy", "open_clip_torch", "opencv-contrib-python-headless", "scikit-learn", "scipy", "torch",
    "torchaudio", "torchvision",
)  # fmt: skip
# The lines of /proc/cpuinfo by which libraries choose their code and the size of their blocks.
CPU_LINES = ("vendor_id", "cpu family", "model", "model name", "stepping", "cache size")
# Differences that a message shows.
SHOWN = 40


def machine(threads: int) -> Machine:
    """What the last bits of a number depend on: processor, versions of libraries, number of threads."""
    lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    cpu = {name.strip(): value.strip() for name, _, value in reversed(lines)}
    return {
        "architecture": platform.machine(),
        "cpu": {name: cpu.get(name, "") for name in CPU_LINES},
        "cpu_flags": " ".join(sorted(cpu.get("flags", cpu.get("Features", "")).split())),
        "cpu_count": len(os.sched_getaffinity(0)),
        "threads": threads,
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def save(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write an npz file. The same arrays give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(arrays):
            buffer = BytesIO()
            np.lib.format.write_array(buffer, np.asarray(arrays[name], order="C"), allow_pickle=False)
            # ZipInfo alone has a fixed date.
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED)


def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def load_machine(path: Path) -> Machine:
    loaded: Machine = json.loads(path.read_text())
    return loaded


def save_golden(path: Path, machine_path: Path, arrays: Mapping[str, Array], threads: int) -> None:
    """Write a golden file, and the machine that made it."""
    save(path, arrays)
    machine_path.write_text(json.dumps(machine(threads), indent=1, sort_keys=True) + "\n")
    print(f"{path}: {len(arrays)} arrays, {path.stat().st_size} bytes")


def report(lines: list[str]) -> int:
    """Print the differences. Returns the exit status: 1 if there are any."""
    print("\n".join(lines) or "nothing differs")
    return int(bool(lines))


def digest(array: Array) -> NDArray[np.uint8]:
    """sha256 of the raw bytes of an array, uint8 [32]."""
    return np.frombuffer(hashlib.sha256(np.asarray(array, order="C").tobytes()).digest(), np.uint8)


def tree(content: Any, rename: Mapping[str, str], skip: Collection[str]) -> Arrays:
    """Every number of a JSON value, sorted by its path: `name` and `value`."""
    found = dict(leaves(content, rename, skip))
    return {"name": np.array(sorted(found)), "value": np.array([found[name] for name in sorted(found)], np.float64)}


def leaves(
    content: Any, rename: Mapping[str, str], skip: Collection[str], path: str = ""
) -> Iterator[tuple[str, float]]:
    """Every number of a JSON value with its path.

    `rename` maps a key of the JSON value to its name in the path. Keys in `skip` are left out. A string that is a list
    of numbers counts as a list; other strings are left out. None is nan.
    """
    if isinstance(content, str):
        content = _numbers(content)
    if isinstance(content, dict):
        for key, value in content.items():
            if key not in skip:
                yield from leaves(value, rename, skip, f"{path}/{rename.get(key, key)}".removeprefix("/"))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from leaves(value, rename, skip, f"{path}/{number}".removeprefix("/"))
    else:
        yield path, float("nan") if content is None else float(content)


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return []


def same(first: Array, second: Array) -> bool:
    """Equal type, shape and bits. Every nan equals every nan."""
    if first.dtype != second.dtype or first.shape != second.shape:
        return False
    first, second = np.asarray(first, order="C"), np.asarray(second, order="C")
    if first.tobytes() == second.tobytes():
        return True
    if first.dtype.kind != "f":
        return False
    bits = f"u{first.dtype.itemsize}"
    return bool(np.all((first.view(bits) == second.view(bits)) | (np.isnan(first) & np.isnan(second))))


def differences(golden: Mapping[str, Array], found: Mapping[str, Array], rule: Rule) -> list[str]:
    """A line for every array that is missing, new, or that the rule rejects."""
    missing = [f"{name}: missing" for name in sorted(golden.keys() - found.keys())]
    new = [f"{name}: not in the golden file" for name in sorted(found.keys() - golden.keys())]
    both = ((name, rule(name, golden[name], found[name])) for name in sorted(golden.keys() & found.keys()))
    return [*missing, *new, *(f"{name}: {words}" for name, words in both if words)]


def exact(name: str, golden: Array, found: Array) -> str | None:
    """Rule: equal bit for bit."""
    return None if same(golden, found) else near(golden, found, 0.0) or "equal values, other bits"


def near(golden: Array, found: Array, share: float) -> str | None:
    """What is wrong with the type, the shape, or a value, or None.

    A float may differ by this share of the largest value of its array: a sum is rounded relative to its largest terms.
    All other values must be equal.
    """
    wrong = form(golden, found)
    if wrong or golden.size == 0:
        return wrong
    if golden.dtype.kind != "f":
        return (
            None if np.array_equal(golden, found) else f"{int((golden != found).sum())} of {golden.size} values differ"
        )
    first, second = golden.astype(np.float64), found.astype(np.float64)
    if np.array_equal(first, second, equal_nan=True):
        return None
    if not np.array_equal(np.isfinite(first), np.isfinite(second)):
        return "other values are not finite"
    difference, largest = np.nanmax(np.abs(second - first)), np.nanmax(np.abs(first))
    allowed = share * largest
    return f"differs by up to {difference:.3g}; largest value {largest:.3g}" if difference > allowed else None


def form(golden: Array, found: Array) -> str | None:
    """What is wrong with the type or the shape, or None. Strings may be longer."""
    if golden.dtype.kind != found.dtype.kind or (golden.dtype.kind != "U" and golden.dtype != found.dtype):
        return f"type {found.dtype}, golden {golden.dtype}"
    return None if golden.shape == found.shape else f"shape {found.shape}, golden {golden.shape}"


def message(lines: list[str], advice: str) -> str:
    """The text of a failed comparison."""
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([f"{len(lines)} golden arrays differ:", *lines[:SHOWN], *more, advice])
