"""One GPU a job: a lock on a file for each GPU, which the kernel lets go when the job ends, however it ends."""

import fcntl
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from clip_ae.core.progress import log_line

# Seconds between two looks at GPUs that are all taken.
POLL_SECONDS = 0.5
_held: dict[str, int] = {}


def acquire_gpu(gpu_uuids: Sequence[str], lock_dir: Path | None = None) -> int:
    """Index of a GPU that no other job holds, ours until this process ends; waits while all are taken."""
    lock_dir = lock_dir or Path(tempfile.gettempdir(), f"clip-ae-gpus-{os.getuid()}")
    lock_dir.mkdir(mode=0o700, exist_ok=True)
    told = False
    while (index := _free(gpu_uuids, lock_dir)) is None:
        if not told:
            log_line(f"all {len(gpu_uuids)} GPUs are at work for other jobs; waiting for one")
            told = True
        time.sleep(POLL_SECONDS)
    return index


def _free(names: Sequence[str], folder: Path) -> int | None:
    # Ours first: asked again, we take no second one.
    order = sorted(range(len(names)), key=lambda i: names[i] not in _held)
    return next((i for i in order if names[i] in _held or _locked(names[i], folder)), None)


def _locked(name: str, folder: Path) -> bool:
    file = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    _held[name] = file
    return True
