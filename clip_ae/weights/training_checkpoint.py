"""Save the state of a training next to its output, so that a killed training can resume.

The file name and the content both contain a digest of all that the training depends on. So a checkpoint of another
config is never used. If another process trains the same model at the same time, this process trains without a
checkpoint: on a CPU both write the same bytes.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from clip_ae.core.errors import RefusedInput
from clip_ae.core.files import report_disk_errors
from clip_ae.core.progress import log_line
from clip_ae.core.provenance import Provenance, digest
from clip_ae.weights.network_file import Tensors, read_weights, save_weights

# Seconds between two checkpoints: a large one takes seconds to write.
CHECKPOINT_INTERVAL_S = 60.0


@dataclass
class Checkpoint:
    """The state from which a training starts. This base class is never due and saves nothing."""

    step: int = 0
    # Lines of the training log as text: parsing them could change the order of their keys.
    log_lines: list[str] = field(default_factory=list)
    state: Tensors = field(default_factory=dict)

    def is_due(self) -> bool:
        """Return whether it is time to save."""
        return False

    def save(self, step: int, state: Tensors, log_lines: list[str]) -> None:
        """Save the state after `step` steps."""


@dataclass(kw_only=True)
class FileCheckpoint(Checkpoint):
    """A checkpoint that is saved to a file, at most once in CHECKPOINT_INTERVAL_S seconds."""

    path: Path
    provenance: Provenance
    last_saved: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        return time.monotonic() - self.last_saved >= CHECKPOINT_INTERVAL_S

    def save(self, step: int, state: Tensors, log_lines: list[str]) -> None:
        save_weights(self.path, state, self.provenance, {"step": step, "lines": log_lines})
        self.last_saved = time.monotonic()


@contextlib.contextmanager
def open_checkpoint(output_path: Path, provenance: Provenance, device: str) -> Iterator[Checkpoint]:
    """Yield the checkpoint of the job with this provenance on this kind of device.

    Its file, and files of other configs for the same output, are deleted when the block ends without an error.
    """
    key = digest(f"{provenance.id} {device}")[:16]
    with report_disk_errors(output_path), _open_lock_file(output_path) as lock:
        if not _acquire_lock(lock, output_path, key):
            yield Checkpoint()
            return
        yield _load_checkpoint(output_path.with_name(f".{output_path.stem}.{key}.checkpoint"), provenance)
        for checkpoint_path in output_path.parent.glob(f".{output_path.stem}.*.checkpoint"):
            checkpoint_path.unlink(missing_ok=True)
        Path(lock.name).unlink(missing_ok=True)


def _open_lock_file(output_path: Path) -> TextIO:
    output_path.parent.mkdir(parents=True, exist_ok=True)
    return (output_path.parent / f".{output_path.stem}.lock").open("a+")


def _acquire_lock(lock: TextIO, output_path: Path, key: str) -> bool:
    """Take the lock of the output. False if another process trains with the same key; wait if its key is another.

    Without the wait, a training that outlived its killed workflow could overwrite the model of the current config.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        if lock.read() == key:
            log_line(f"{output_path}: another process is training this too; going on without a checkpoint")
            return False
        log_line(f"{output_path}: another process trains this with another config; waiting for it to end")
        fcntl.flock(lock, fcntl.LOCK_EX)
    lock.truncate(0)
    lock.write(key)
    lock.flush()
    return True


def _load_checkpoint(path: Path, provenance: Provenance) -> FileCheckpoint:
    if not path.is_file():
        return FileCheckpoint(path=path, provenance=provenance)
    file = read_weights(path)
    if file.provenance.id != provenance.id:
        raise RefusedInput(f"{path}: a checkpoint of another config or code; delete it to train from the start")
    log_line(f"going on at step {file.metadata['step']}")
    return FileCheckpoint(
        step=file.metadata["step"],
        log_lines=file.metadata["lines"],
        state=dict(file.tensors),
        path=path,
        provenance=provenance,
    )
