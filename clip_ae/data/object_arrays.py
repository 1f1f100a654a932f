"""Read npy files of Python objects: an array for each video, or a text for each. Nothing in them is run."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import RefusedInput, describe_error
from clip_ae.data.pickle_scan import ArrayRecord, ByteRange, GlobalName, scan_pickle
from clip_ae.data.pickles import NPY_HEADER_READERS, NUMERIC_DTYPES

T = TypeVar("T")
# The bytes of a file, mapped: pages are read when they are used.
FileBytes = NDArray[np.uint8]


class ObjectArrays:
    """The arrays in a npy file of objects. They stay in the file, and each is read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = _report_as(path, "arrays", "[T, D] array of numbers", lambda: _scan_arrays(path))

    def dtype(self, index: int) -> "np.dtype[Any]":
        return _to_dtype(self.records[index])

    def read(self, index: int) -> NDArray[Any]:
        record = self.records[index]
        count = math.prod(record.shape)
        # Not a view of a map: its pages would count as memory of the process until the map is closed.
        numbers: NDArray[Any] = np.fromfile(self.path, self.dtype(index), count, offset=record.content.start)
        return numbers.reshape(record.shape, order="F" if record.is_fortran_order else "C")


def read_texts(path: Path) -> list[str]:
    """Return the elements of a npy file of text, or of objects that are text."""
    return _report_as(path, "text", "name", lambda: _read_texts(path))


def _report_as(path: Path, kind: str, element: str, read: Callable[[], T]) -> T:
    """Return what `read` returns; RefusedInput for any error, as bytes that are no pickle can cause any.

    `element`: what the file must have for each video.
    """
    try:
        return read()
    except Exception as error:
        reason = describe_error(error)
        raise RefusedInput(
            f"{path}: not a npy file with a list of {kind} ({reason}); copy the file again, or save it with one "
            f"{element} for each video"
        ) from None


def _read_texts(path: Path) -> list[str]:
    content = np.memmap(path, np.uint8, mode="r")
    start, dtype = _read_header(path)
    if dtype.hasobject:
        return [_to_text(item, content) for item in _scan_items(content, start)]
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    if dtype.kind not in "SU" or values.ndim != 1:
        raise ValueError(f"has {dtype} {list(values.shape)}")
    return [_decode(value) for value in values.tolist()]


def _to_text(item: Any, content: FileBytes) -> str:
    if not isinstance(item, str | ByteRange):
        raise ValueError(f"has {_describe(item)}")
    return item if isinstance(item, str) else _decode(bytes(content[item.start : item.start + item.size]))


def _decode(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _scan_arrays(path: Path) -> list[ArrayRecord]:
    content = np.memmap(path, np.uint8, mode="r")
    start, dtype = _read_header(path)
    if not dtype.hasobject:
        raise ValueError(f"has numbers of type {dtype} in one array, not an array for each video")
    items = _scan_items(content, start)
    for index, item in enumerate(items):
        _check_item(index, item)
    if len({item.content.start for item in items}) != len(items):
        raise ValueError("has one array twice")
    return items


def _read_header(path: Path) -> tuple[int, "np.dtype[Any]"]:
    """Return the position after the header, and the type of the elements."""
    with path.open("rb") as file:
        _, _, dtype = NPY_HEADER_READERS[np.lib.format.read_magic(file)](file)
        return file.tell(), dtype


def _scan_items(content: FileBytes, start: int) -> list[Any]:
    """Return the elements of the pickled array of objects."""
    outer = scan_pickle(content.data, start)
    if not isinstance(outer, ArrayRecord) or not isinstance(outer.content, list):
        raise ValueError(f"has {_describe(outer)}")
    if not outer.dtype.is_object or outer.shape != (len(outer.content),):
        raise ValueError(f"has objects of shape {outer.shape}; expected one dimension")
    return outer.content


def _check_item(index: int, item: Any) -> None:
    if not isinstance(item, ArrayRecord) or not isinstance(item.content, ByteRange):
        raise ValueError(f"element {index} is {_describe(item)}")
    expected_size = math.prod(item.shape) * _to_dtype(item).itemsize
    if min(item.shape, default=0) < 0 or item.content.size != expected_size:
        raise ValueError(f"element {index} has {item.content.size} bytes for the shape {list(item.shape)}")


def _to_dtype(record: ArrayRecord) -> "np.dtype[Any]":
    if record.dtype.name not in NUMERIC_DTYPES:
        raise ValueError(f"has elements of type {record.dtype.name!r}")
    dtype: np.dtype[Any] = np.dtype(record.dtype.name)
    return dtype.newbyteorder(">") if record.dtype.byte_order == ">" else dtype


def _describe(item: Any) -> str:
    if isinstance(item, ArrayRecord):
        return f"an array of {'objects' if item.dtype.is_object else 'numbers'}"
    if isinstance(item, GlobalName):
        return f"the name {item.name}"
    return "text" if isinstance(item, str | ByteRange) else f"a {type(item).__name__}"
