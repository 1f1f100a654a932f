"""Memory that two processes share, divided into slots of equal shape: windows pass through it without a copy.

The memory has no name in any file system. The kernel frees it when both processes have ended, however they end.
"""

import fcntl
import mmap
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Slots for windows that are ready or in use while other windows are filled.
NUM_SPARE_SLOTS = 4


@dataclass(frozen=True)
class SlotSpec:
    """Shape and dtype of one slot, and the number of windows that are filled at the same time (`overlap`)."""

    shape: tuple[int, ...]
    dtype: str
    overlap: int = 1

    @property
    def num_slots(self) -> int:
        return self.overlap + NUM_SPARE_SLOTS


class SharedBuffer:
    """An anonymous memory file that a child process can inherit. It grows on demand and never shrinks."""

    def __init__(self, fd: int | None = None) -> None:
        self.fd = _create_memory_file() if fd is None else fd

    def map_slots(self, slot_spec: SlotSpec) -> NDArray[Any]:
        """Return an array [num_slots, *shape] over the shared memory; equal specs map to the same memory.

        Raises MemoryError if the memory cannot be mapped.
        """
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
        """Close the descriptor. Arrays that are already mapped stay valid."""
        os.close(self.fd)


def _create_memory_file() -> int:
    """Return the descriptor of a memory file that no process can shrink: a read past its end would kill this one."""
    file = os.memfd_create("clip-ae-windows", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return file
