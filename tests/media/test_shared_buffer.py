"""Memory that a child fills and we read, which nobody can take away and which has no name."""

import multiprocessing
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from clip_ae.media.shared_buffer import NUM_SPARE_SLOTS, SharedBuffer, SlotSpec

FORM = SlotSpec((2, 3), "f4", overlap=2)


def fill(ring: SharedBuffer) -> None:
    ring.map_slots(FORM)[3] = 7
    try:
        os.ftruncate(ring.fd, 0)
    except PermissionError:
        ring.map_slots(FORM)[4] = 8


def test_a_child_writes_what_we_read_and_cannot_shrink_it() -> None:
    ring, threads = SharedBuffer(), threading.active_count()
    slots = ring.map_slots(FORM)
    child = multiprocessing.get_context("spawn").Process(target=fill, args=(ring,))
    child.start()
    # It inherits the file: no thread of ours waits to hand it over.
    assert threading.active_count() == threads
    child.join()
    assert slots.shape == (2 + NUM_SPARE_SLOTS, 2, 3)
    assert slots.dtype == np.float32
    assert slots[:, 0, 0].tolist() == [0, 0, 0, 7, 8, 0]
    with pytest.raises(PermissionError):
        os.ftruncate(ring.fd, 0)
    ring.close()


def test_one_form_is_one_memory_and_a_larger_one_has_room() -> None:
    ring = SharedBuffer()
    small, again = ring.map_slots(FORM), ring.map_slots(FORM)
    small[1] = 5
    assert (again[1] == 5).all()
    large = ring.map_slots(SlotSpec((500, 300), "u1"))
    large[-1, -1, -1] = 255
    assert large.shape == (1 + NUM_SPARE_SLOTS, 500, 300)
    ring.close()
    # Memory lives as long as someone looks at it.
    assert large[-1, -1, -1] == 255


def test_the_ring_has_no_name_and_leaves_no_file_open() -> None:
    def named() -> list[str]:
        return sorted(os.listdir("/dev/shm"))

    before, files = named(), len(os.listdir("/proc/self/fd"))
    ring = SharedBuffer()
    slots = ring.map_slots(FORM)
    assert os.readlink(f"/proc/self/fd/{ring.fd}").startswith("/memfd:")
    assert named() == before
    ring.close()
    del slots
    assert len(os.listdir("/proc/self/fd")) == files


def test_more_than_the_address_space_is_a_memory_error(tmp_path: Path) -> None:
    with pytest.raises(MemoryError):
        SharedBuffer().map_slots(SlotSpec((1 << 47,), "u1"))
