"""Memory that two processes share, cut into slots of one form: windows pass through it without being copied.

It has no name in any file system: the kernel frees it when both processes are gone, however they end.
"""

import fcntl
import mmap
import os
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Windows that are ready or being read while others are filled.
NUM_SPARE_SLOTS = 4


@dataclass(frozen=True)
class SlotSpec:
    """Shape and type of a slot, and how many windows are filled at a time."""

    shape: tuple[int, ...]
    dtype: str
    overlap: int = 1

    @property
    def num_slots(self) -> int:
        return self.overlap + NUM_SPARE_SLOTS


class SharedBuffer:
    def __init__(self, fd: int | None = None) -> None:
        self.fd = _sealed() if fd is None else fd

    def __reduce__(self) -> tuple[Any, ...]:
        """For the arguments of a child process alone: it inherits the file, so nobody has to hand it over a socket."""
        return _inherited, (DupFd(self.fd),)

    def map_slots(self, slot_spec: SlotSpec) -> NDArray[Any]:
        """[count, *shape], the same memory for whoever asks for the same form."""
        shape = (slot_spec.num_slots, *slot_spec.shape)
        size = int(np.prod(shape)) * np.dtype(slot_spec.dtype).itemsize
        if os.fstat(self.fd).st_size < size:
            os.ftruncate(self.fd, size)
        try:
            memory = mmap.mmap(self.fd, size)
        except OSError as error:
            raise MemoryError(str(error)) from None
        return np.frombuffer(memory, slot_spec.dtype).reshape(shape)

    def close(self) -> None:
        os.close(self.fd)


def _inherited(handle: Any) -> SharedBuffer:
    return SharedBuffer(handle.detach())


def _sealed() -> int:
    """Memory that nobody can shrink: reading past its end would be our death."""
    file = os.memfd_create("clip-ae-windows", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return file
