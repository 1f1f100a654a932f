"""Numpy arrays, or lists, from a pickle, and nothing else: what a pickle names is never imported or called.

The names that a pickled array needs stand for inert classes here; the bytes then go through np.frombuffer.
"""

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import RefusedInput

# Types of plain numbers, as dtypes are pickled.
NUMERIC_DTYPES = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}


class PickledDtype:
    """np.dtype as a pickle spells it: a name, then a state that begins with version and byte order."""

    def __init__(self, name: str, *_: object) -> None:
        if name not in NUMERIC_DTYPES:
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


class PickledObjectDtype(PickledDtype):
    """np.dtype, of plain numbers or of objects."""

    def __init__(self, name: str, *rest: object) -> None:
        self.is_object = name in ("O", "O8")
        if not self.is_object:
            super().__init__(name, *rest)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if not self.is_object:
            super().__setstate__(state)


class PickledList:
    """np.ndarray in one dimension, of plain numbers or of objects, whose state ends with their list."""

    def __init__(self, *_: object) -> None:
        self.items: list[Any] = []

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, columns_first, content = state
        if not kind.is_object:
            numbers = np.frombuffer(content, kind.dtype).reshape(shape, order="F" if columns_first else "C")
            self.items = numbers.tolist()
        elif len(shape) == 1:
            self.items = content
        else:
            raise ValueError(f"objects in {len(shape)} dimensions")


def _admitted(array: type, kind: type) -> dict[str, type]:
    # numpy 1 and numpy 2 name the same function.
    return {
        "numpy.core.multiarray._reconstruct": array,
        "numpy._core.multiarray._reconstruct": array,
        "numpy.ndarray": array,
        "numpy.dtype": kind,
    }


ARRAY_CLASSES, LIST_CLASSES = _admitted(PickledArray, PickledDtype), _admitted(PickledList, PickledObjectDtype)


class RestrictedUnpickler(pickle.Unpickler):
    """Builds nothing but plain values and the classes it is given."""

    def __init__(self, file: IO[bytes], allowed: Mapping[str, type], encoding: str = "ASCII") -> None:
        super().__init__(file, encoding=encoding)
        self.allowed = allowed

    def find_class(self, module: str, name: str) -> type:
        if f"{module}.{name}" not in self.allowed:
            raise RefusedInput(f"names {module}.{name}")
        return self.allowed[f"{module}.{name}"]


def read_pickled_arrays(key: str, path: Path) -> dict[str, NDArray[Any]]:
    """Nested dicts of arrays as one dict; names are joined by a slash."""
    try:
        with path.open("rb") as file:
            return dict(_arrays("", RestrictedUnpickler(file, ARRAY_CLASSES).load()))
    # Bytes that are no pickle raise errors of every kind.
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RefusedInput(f"{key}: {path.name} is not a pickle of plain arrays ({reason})") from None


NPY_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy_objects(path: Path) -> list[Any]:
    """The elements of a npy file: of an array, or of objects, which numpy keeps as a pickle."""
    try:
        with path.open("rb") as file:
            _, _, dtype = NPY_HEADER_READERS[np.lib.format.read_magic(file)](file)
            if dtype.hasobject:
                # Those in circulation were written by Python 2, whose text has no encoding.
                return list(_plain(RestrictedUnpickler(file, LIST_CLASSES, encoding="latin-1").load()))
        return list(np.load(path, allow_pickle=False).tolist())
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RefusedInput(f"{path}: not a npy file of lists, text and numbers ({reason})") from None


def _plain(value: Any) -> Any:
    """Lists in place of arrays, at any depth."""
    if isinstance(value, PickledList):
        value = value.items
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _arrays(name: str, value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(value, PickledArray) and value.array is not None:
        yield name, value.array
    elif isinstance(value, dict):
        for part, inner in value.items():
            yield from _arrays(f"{name}/{part}" if name else str(part), inner)
    else:
        raise ValueError(f"{name or 'it'} is a {type(value).__name__}")
