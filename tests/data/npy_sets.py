"""Write npy annotations like the published ones, which Python 2 wrote: text as bytes, lists in pickles."""

import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np


def write_npy_set(folder: Path, rows: list[dict[str, Any]], durations: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("videoname", "subset"):
        np.save(folder / f"{name}.npy", np.array([row[name] for row in rows], dtype="S"))
    for name in ("segments", "labels"):
        write_objects(folder / f"{name}.npy", [row[name] for row in rows])
    if durations:
        np.save(folder / "duration.npy", np.array([[row["duration"]] for row in rows]))
    return folder


def write_objects(path: Path, rows: list[Any]) -> Path:
    column = np.empty(len(rows), dtype=object)
    for index, row in enumerate(rows):
        column[index] = row
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (len(rows),)})
        file.write(_to_python_2_pickle(pickle.dumps(column, protocol=3)))
    return path


def _to_python_2_pickle(content: bytes) -> bytes:
    """Return the pickle with Python 2's opcode for text, and with numpy's old module name."""
    opcodes = list(pickletools.genops(content))
    ends = [position for *_, position in opcodes[1:]] + [len(content)]
    parts = [
        _to_python_2_text(value) if op.name in ("BINUNICODE", "SHORT_BINBYTES", "BINBYTES") else content[start:end]
        for (op, value, start), end in zip(opcodes, ends, strict=True)
    ]
    return b"".join(parts).replace(b"numpy._core", b"numpy.core")


def _to_python_2_text(value: str | bytes) -> bytes:
    text = value.encode() if isinstance(value, str) else value
    return b"U" + bytes([len(text)]) + text if len(text) < 256 else b"T" + len(text).to_bytes(4, "little") + text
