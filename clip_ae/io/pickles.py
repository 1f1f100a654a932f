"""Numpy arrays from a pickle, and nothing else: what a pickle names is never imported or called.

The names that a pickled array needs stand for inert classes here; the bytes then go through np.frombuffer.
"""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import RefusedInput

# Types of plain numbers, as dtypes are pickled.
NUMBERS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}


class PickledType:
    """np.dtype as a pickle spells it: a name, then a state that begins with version and byte order."""

    def __init__(self, name: str, *_: object) -> None:
        if name not in NUMBERS:
            raise ValueError(f"type {name!r} is not of plain numbers")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class PickledArray:
    """np.ndarray as a pickle spells it: made empty, then given version, shape, type, order and bytes."""

    def __init__(self, *_: object) -> None:
        self.array: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, columns_first, content = state
        self.array = np.frombuffer(content, kind.dtype).reshape(shape, order="F" if columns_first else "C")


# numpy 1 and numpy 2 name the same function.
ADMITTED = {
    "numpy.core.multiarray._reconstruct": PickledArray,
    "numpy._core.multiarray._reconstruct": PickledArray,
    "numpy.ndarray": PickledArray,
    "numpy.dtype": PickledType,
}


class ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        if f"{module}.{name}" not in ADMITTED:
            raise RefusedInput(f"names {module}.{name}")
        return ADMITTED[f"{module}.{name}"]


def read_arrays(key: str, path: Path) -> dict[str, NDArray[Any]]:
    """Nested dicts of arrays as one dict; names are joined by a slash."""
    try:
        with path.open("rb") as file:
            return dict(_arrays("", ArrayUnpickler(file).load()))
    # Bytes that are no pickle raise errors of every kind.
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RefusedInput(f"{key}: {path.name} is not a pickle of plain arrays ({reason})") from None


def _arrays(name: str, value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(value, PickledArray) and value.array is not None:
        yield name, value.array
    elif isinstance(value, dict):
        for part, inner in value.items():
            yield from _arrays(f"{name}/{part}" if name else str(part), inner)
    else:
        raise ValueError(f"{name or 'it'} is a {type(value).__name__}")
