"""Read NumPy arrays or lists from a pickle without running any code: no name in a pickle is imported or called.

Classes of this module replace the names that a pickled array needs. They only store what the pickle passes; the bytes
then go through np.frombuffer.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import RefusedInput, describe_error
from clip_ae.data.unpicklers import PlainUnpickler

T = TypeVar("T")
# Dtypes of plain numbers, as they are named in a pickle.
NUMERIC_DTYPES = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}


class PickledDtype:
    """Replaces np.dtype: created with a name, then given a state that starts with version and byte order."""

    def __init__(self, name: object, *_: object) -> None:
        if not isinstance(name, str) or name not in NUMERIC_DTYPES:
            shown = repr(name) if isinstance(name, str) else f"named by a {type(name).__name__}"
            raise ValueError(f"type {shown} is not of plain numbers")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class PickledArray:
    """Replaces np.ndarray: created empty, then given version, shape, dtype, order and bytes."""

    def __init__(self, *_: object) -> None:
        self.array: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran_order, content = state
        self.array = np.frombuffer(content, dtype.dtype).reshape(shape, order="F" if is_fortran_order else "C")


class PickledObjectDtype(PickledDtype):
    """Replaces np.dtype, of plain numbers or of objects."""

    def __init__(self, name: object, *rest: object) -> None:
        self.is_object = name in ("O", "O8")
        if not self.is_object:
            super().__init__(name, *rest)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if not self.is_object:
            super().__setstate__(state)


class PickledList:
    """Replaces np.ndarray of numbers, or of objects in one dimension, whose state ends with a list of them."""

    def __init__(self, *_: object) -> None:
        self.items: list[Any] = []

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran_order, content = state
        if not dtype.is_object:
            numbers = np.frombuffer(content, dtype.dtype).reshape(shape, order="F" if is_fortran_order else "C")
            self.items = numbers.tolist()
        elif len(shape) == 1:
            self.items = content
        else:
            raise ValueError(f"objects in {len(shape)} dimensions")


def _replacements(array_class: type, dtype_class: type) -> dict[str, type]:
    # numpy 1 and numpy 2 have different names for the same function.
    return {
        "numpy.core.multiarray._reconstruct": array_class,
        "numpy._core.multiarray._reconstruct": array_class,
        "numpy.ndarray": array_class,
        "numpy.dtype": dtype_class,
    }


ARRAY_CLASSES = _replacements(PickledArray, PickledDtype)
LIST_CLASSES = _replacements(PickledList, PickledObjectDtype)


class RestrictedUnpickler(PlainUnpickler):
    """Unpickles plain values and the `allowed` classes only; RefusedInput for any other name."""

    def __init__(self, file: IO[bytes], allowed: Mapping[str, type], encoding: str = "ASCII") -> None:
        super().__init__(file, encoding=encoding)
        self.allowed = allowed

    def find_class(self, module: str, name: str) -> type:
        if f"{module}.{name}" not in self.allowed:
            raise RefusedInput(f"names {module}.{name}")
        return self.allowed[f"{module}.{name}"]


def read_pickled_arrays(key: str, path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of nested dicts as one dict, with names joined by a slash; `key` names the config entry."""
    try:
        with path.open("rb") as file:
            value = RestrictedUnpickler(file, ARRAY_CLASSES).load()
            visits = iter(_limit(itertools.count(), path))
            return dict(_flatten_arrays("", value, visits))
    # Bytes that are not a pickle can raise any error.
    except Exception as error:
        raise RefusedInput(f"{key}: {path.name} is not a pickle of plain arrays ({describe_error(error)})") from None


NPY_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy_objects(path: Path) -> list[Any]:
    """Return the elements of a npy file of numbers, or of objects, which numpy stores as a pickle."""
    try:
        with path.open("rb") as file:
            _, _, dtype = NPY_HEADER_READERS[np.lib.format.read_magic(file)](file)
            if dtype.hasobject:
                # Published files were written by Python 2, whose text has no encoding.
                value = RestrictedUnpickler(file, LIST_CLASSES, encoding="latin-1").load()
                return list(_unwrap_lists(value, iter(_limit(itertools.count(), path))))
        return list(np.load(path, allow_pickle=False).tolist())
    except Exception as error:
        raise RefusedInput(f"{path}: not a npy file of lists, text and numbers ({describe_error(error)})") from None


def _limit(values: Iterable[T], path: Path) -> Iterator[T]:
    """Yield the values, and refuse more than the file has bytes: a list that is in ten lists is read ten times."""
    limit = path.stat().st_size
    for number, value in enumerate(values):
        if number > limit:
            raise ValueError("has more values than the file has bytes")
        yield value


def _unwrap_lists(value: Any, counter: Iterator[int]) -> Any:
    """Return lists in place of pickled arrays, at any depth; the counter ends it after too many values."""
    next(counter)
    if isinstance(value, PickledList):
        value = value.items
    if isinstance(value, list | tuple):
        return [_unwrap_lists(item, counter) for item in value]
    if not isinstance(value, str | bytes | int | float | None):
        raise ValueError(f"has a {type(value).__name__}")
    return value


def _flatten_arrays(name: str, value: Any, counter: Iterator[int]) -> Iterator[tuple[str, NDArray[Any]]]:
    next(counter)
    if isinstance(value, PickledArray) and value.array is not None:
        yield name, value.array
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten_arrays(f"{name}/{key}" if name else str(key), inner, counter)
    else:
        raise ValueError(f"{name or 'it'} is a {type(value).__name__}")
