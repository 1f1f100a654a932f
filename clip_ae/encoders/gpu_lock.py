"""One job per GPU: a lock file for each GPU. The kernel releases the lock when the job ends, even by SIGKILL."""

import fcntl
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from clip_ae.core.progress import log_line

# Seconds between two attempts while all GPUs are locked.
POLL_SECONDS = 0.5
# File descriptors of this process's locks, by GPU UUID.
_locks: dict[str, int] = {}


def acquire_gpu(gpu_uuids: Sequence[str], lock_dir: Path | None = None) -> int:
    """Index of a GPU that no other job has locked; waits while there is none. The lock ends with this process."""
    lock_dir = lock_dir or Path(tempfile.gettempdir(), f"clip-ae-gpus-{os.getuid()}")
    lock_dir.mkdir(mode=0o700, exist_ok=True)
    index = _try_acquire(gpu_uuids, lock_dir)
    if index is None:
        log_line(f"all {len(gpu_uuids)} GPUs are in use by other jobs; waiting for one")
    while index is None:
        time.sleep(POLL_SECONDS)
        index = _try_acquire(gpu_uuids, lock_dir)
    return index


def _try_acquire(gpu_uuids: Sequence[str], lock_dir: Path) -> int | None:
    # GPUs that this process has locked come first: a second call takes no second GPU.
    order = sorted(range(len(gpu_uuids)), key=lambda i: gpu_uuids[i] not in _locks)
    return next((i for i in order if gpu_uuids[i] in _locks or _try_lock(gpu_uuids[i], lock_dir)), None)


def _try_lock(gpu_uuid: str, lock_dir: Path) -> bool:
    descriptor = os.open(lock_dir / gpu_uuid, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _locks[gpu_uuid] = descriptor
    return True
