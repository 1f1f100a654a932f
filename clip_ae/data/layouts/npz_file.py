"""Read arrays of a npz archive one at a time: sizes are checked against the archive before anything is unpacked."""

import math
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import RefusedInput, Unreadable, make_printable
from clip_ae.data.layouts.array_checks import check_no_special_file, report_array_errors
from clip_ae.data.layouts.npy_file import Header, check_header, read_header

# Deflate cannot pack more: an archive that claims more is broken or hostile.
MAX_DEFLATE_RATIO = 1100
MAX_HEADER_BYTES = 12_000
FORM = "a .npz archive of numbers"


class NpzFile:
    """An open archive; members are named without `.npy`."""

    def __init__(self, path: Path) -> None:
        check_no_special_file(path)
        with report_array_errors(path.name, FORM):
            self.archive = ZipFile(path)
        self.path = path
        infos = self.archive.infolist()
        self.members = {info.filename.removesuffix(".npy"): info for info in infos}
        if len(self.members) < len(infos):
            raise Unreadable("not-an-array", f"{path.name} has two arrays of one name; keep one")

    def __enter__(self) -> "NpzFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()

    def shape(self, name: str) -> tuple[int, int]:
        """Return [rows, columns] of a member from its header alone."""
        title = self._title(name)
        with report_array_errors(title, FORM), self._open(name) as file:
            return check_header(title, self._read_header(name, file))

    def read(self, name: str) -> NDArray[Any]:
        title = self._title(name)
        with report_array_errors(title, FORM), self._open(name) as file:
            header = self._read_header(name, file)
            check_header(title, header)
            shape, is_fortran_order, dtype = header
            content = file.read(math.prod(shape) * dtype.itemsize)
            return np.frombuffer(content, dtype).reshape(shape, order="F" if is_fortran_order else "C")

    def _open(self, name: str) -> IO[bytes]:
        info = self.members[name]
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise Unreadable("not-an-array", f"{self._title(name)} is packed in a way that numpy never uses")
        if info.file_size > MAX_DEFLATE_RATIO * info.compress_size + MAX_HEADER_BYTES:
            raise Unreadable("shape", f"{self._title(name)} claims {_gib(info)} GiB, which its packed size cannot hold")
        return self.archive.open(info)

    def _read_header(self, name: str, file: IO[bytes]) -> Header:
        header = read_header(self._title(name), file)
        shape, _, dtype = header
        if math.prod(shape) * dtype.itemsize > self.members[name].file_size:
            raise Unreadable("shape", f"{self._title(name)} claims more numbers than the archive says it holds")
        return header

    def _title(self, name: str) -> str:
        return f"{self.path.name}/{make_printable(name)}"


def open_npz(path: Path) -> NpzFile:
    """Return the archive; RefusedInput if it is not one."""
    try:
        return NpzFile(path)
    except Unreadable as error:
        raise RefusedInput(f"{path.parent}: {error}") from None


def _gib(info: ZipInfo) -> str:
    return f"{info.file_size / 2**30:.1f}"
