"""Checks of feature arrays before they are read, and one place that turns errors of broken files into Unreadable."""

import contextlib
import math
import tokenize
import zlib
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from clip_ae.core.errors import Unreadable
from clip_ae.core.files import is_special_file

# Largest array of one video: 23 hours of 4096 float32 numbers at one row each 0.64 s.
MAX_ARRAY_BYTES = 2**31
# What numpy, zipfile and h5py raise on a broken file. RuntimeError: an encrypted archive, or an error inside h5py.
BROKEN_FILE_ERRORS = (
    *(ValueError, TypeError, KeyError, EOFError, OverflowError, MemoryError, RuntimeError, SyntaxError),
    *(BadZipFile, zlib.error, tokenize.TokenError),
)


@contextlib.contextmanager
def report_array_errors(name: str, form: str = "a .npy file of numbers") -> Iterator[None]:
    """Turn any error of reading the file `name` into Unreadable."""
    try:
        yield
    except OSError as error:
        raise Unreadable("not-an-array", f"{name} cannot be read: {error.strerror or error}") from None
    except BROKEN_FILE_ERRORS:
        # The message of numpy is not shown: it advises to load the file as a pickle, which would run code in it.
        raise Unreadable("not-an-array", f"{name} is not {form}, or its end is missing") from None


def check_no_special_file(path: Path) -> None:
    """Raise Unreadable for a pipe or a device: opening one may never end."""
    if is_special_file(path):
        raise Unreadable("not-an-array", f"{path.name} is a pipe or a device")


def check_array(name: str, shape: tuple[int, ...] | None, dtype: "np.dtype[np.generic]") -> tuple[int, int]:
    """Return the shape; Unreadable if it is not that of floats [snippets, D] of a size that can be read."""
    if shape is None or len(shape) != 2 or dtype.kind != "f" or 0 in shape:
        raise Unreadable("shape", f"{name} contains {dtype} {list(shape or ())}; expected floats [snippets, D]")
    num_bytes = math.prod(shape) * dtype.itemsize
    if num_bytes > MAX_ARRAY_BYTES:
        limit = f"more than {MAX_ARRAY_BYTES / 2**30:.0f} GiB"
        raise Unreadable("shape", f"{name} claims {num_bytes / 2**30:.1f} GiB of numbers, {limit}; cut the video")
    return shape[0], shape[1]
