"""Shared buffer: a child process fills it, no process can shrink it, and it has no name."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clip_ae.media.shared_buffer import NUM_SPARE_SLOTS, SharedBuffer, SlotSpec

SLOT_SPEC = SlotSpec((2, 3), "f4", overlap=2)


CHILD = """
import os, sys
from clip_ae.media.shared_buffer import SharedBuffer, SlotSpec

shared_buffer, slot_spec = SharedBuffer(int(sys.argv[1])), SlotSpec((2, 3), "f4", overlap=2)
shared_buffer.map_slots(slot_spec)[3] = 7
try:
    os.ftruncate(shared_buffer.fd, 0)
except PermissionError:
    shared_buffer.map_slots(slot_spec)[4] = 8
"""


def test_child_writes_and_cannot_shrink_the_buffer() -> None:
    shared_buffer = SharedBuffer()
    slots = shared_buffer.map_slots(SLOT_SPEC)
    command = [sys.executable, "-c", CHILD, str(shared_buffer.fd)]
    subprocess.run(command, pass_fds=[shared_buffer.fd], check=True)
    assert slots.shape == (2 + NUM_SPARE_SLOTS, 2, 3)
    assert slots.dtype == np.float32
    assert slots[:, 0, 0].tolist() == [0, 0, 0, 7, 8, 0]
    with pytest.raises(PermissionError):
        os.ftruncate(shared_buffer.fd, 0)
    shared_buffer.close()


def test_equal_specs_share_memory_and_larger_ones_grow_it() -> None:
    shared_buffer = SharedBuffer()
    small, again = shared_buffer.map_slots(SLOT_SPEC), shared_buffer.map_slots(SLOT_SPEC)
    small[1] = 5
    assert (again[1] == 5).all()
    large = shared_buffer.map_slots(SlotSpec((500, 300), "u1"))
    large[-1, -1, -1] = 255
    assert large.shape == (1 + NUM_SPARE_SLOTS, 500, 300)
    shared_buffer.close()
    # Mapped memory stays valid after the descriptor is closed.
    assert large[-1, -1, -1] == 255


def test_buffer_has_no_name_and_leaves_no_file_open() -> None:
    def list_named_memory() -> list[str]:
        return sorted(os.listdir("/dev/shm"))

    before, files = list_named_memory(), len(os.listdir("/proc/self/fd"))
    shared_buffer = SharedBuffer()
    slots = shared_buffer.map_slots(SLOT_SPEC)
    assert os.readlink(f"/proc/self/fd/{shared_buffer.fd}").startswith("/memfd:")
    assert list_named_memory() == before
    shared_buffer.close()
    del slots
    assert len(os.listdir("/proc/self/fd")) == files


def test_more_than_the_address_space_is_a_memory_error(tmp_path: Path) -> None:
    with pytest.raises(MemoryError):
        SharedBuffer().map_slots(SlotSpec((1 << 47,), "u1"))
