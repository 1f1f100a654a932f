"""Read the header of a npy file, and its array without loading the file."""

import math
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.data.layouts.array_checks import check_array, check_no_special_file, report_array_errors

HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
Header = tuple[tuple[int, ...], bool, "np.dtype[Any]"]


class ContainsObjects(Unreadable):
    """The file has Python objects in place of numbers: often the arrays of all videos."""


def read_header(name: str, file: IO[bytes]) -> Header:
    """Return (shape, whether the order is Fortran's, dtype); the file is then at its first number."""
    shape, is_fortran_order, dtype = HEADER_READERS[np.lib.format.read_magic(file)](file)
    if dtype.hasobject:
        raise ContainsObjects("not-an-array", f"{name} contains Python objects, not numbers")
    return shape, is_fortran_order, dtype


def read_npy_shape(path: Path) -> tuple[int, int]:
    """Return [rows, columns] from the header alone; Unreadable if the file is not floats in two dimensions."""
    check_no_special_file(path)
    with report_array_errors(path.name), path.open("rb") as file:
        header = read_header(path.name, file)
        shape = check_header(path.name, header)
        _check_size(path.name, file, header)
        return shape


def map_npy(path: Path) -> NDArray[Any]:
    """Return the array of a npy file: pages of the file are read when they are used."""
    read_npy_shape(path)
    with report_array_errors(path.name):
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return values


def _check_size(name: str, file: IO[bytes], header: Header) -> None:
    """Raise Unreadable if the file, which is at its first number, ends before its last one."""
    shape, _, dtype = header
    needed, size = file.tell() + math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size
    if size < needed:
        reason = f"{name} has {size} bytes, and its header needs {needed}: its end is missing; copy the file again"
        raise Unreadable("not-an-array", reason)


def check_header(name: str, header: Header) -> tuple[int, int]:
    shape, _, dtype = header
    return check_array(name, shape, dtype)
