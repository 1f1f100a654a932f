"""A training's last state, beside its outputs, for when it is killed.

Its name carries the digest of all that the training depends on, and so does what lies in it: another config's
checkpoint is never picked up. Where another process trains the very same, this one goes on without: on a CPU both write
the same bytes.
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
    """Where to save to, and what was found there."""

    path: Path | None
    provenance: Provenance
    step: int = 0
    # Of the log, as text: the order of their keys must not change on the way.
    log_lines: list[str] = field(default_factory=list)
    state: Tensors = field(default_factory=dict)
    interval_s: float = CHECKPOINT_INTERVAL_S
    last_saved: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        return self.path is not None and time.monotonic() - self.last_saved >= self.interval_s

    def save(self, step: int, state: Tensors, log_lines: list[str]) -> None:
        assert self.path is not None
        save_weights(self.path, state, self.provenance, {"step": step, "lines": log_lines})
        self.last_saved = time.monotonic()


@contextlib.contextmanager
def open_checkpoint(
    output_path: Path, provenance: Provenance, device: str, interval_s: float = CHECKPOINT_INTERVAL_S
) -> Iterator[Checkpoint]:
    """The checkpoint of the job that `record` describes on this kind of device; it goes when the block ends well."""
    key = digest(f"{provenance.id} {device}")[:16]
    with report_disk_errors(output_path), _lock_file(output_path) as lock:
        if not _held(lock, output_path, key):
            yield Checkpoint(None, provenance, interval_s=interval_s)
            return
        yield _found(output_path.with_name(f".{output_path.stem}.{key}.checkpoint"), provenance, interval_s)
        for old in output_path.parent.glob(f".{output_path.stem}.*.checkpoint"):
            old.unlink(missing_ok=True)
        Path(lock.name).unlink(missing_ok=True)


def _lock_file(beside: Path) -> TextIO:
    beside.parent.mkdir(parents=True, exist_ok=True)
    return (beside.parent / f".{beside.stem}.lock").open("a+")


def _held(lock: TextIO, beside: Path, key: str) -> bool:
    """Take the output's lock; False where another process makes the very same. Another config's is waited for.

    Else a training that outlived its killed workflow would write its model over that of the config of today.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        if lock.read() == key:
            log_line(f"{beside}: another process is training this too; going on without a checkpoint")
            return False
        log_line(f"{beside}: another process trains this with another config; waiting for it to end")
        fcntl.flock(lock, fcntl.LOCK_EX)
    lock.truncate(0)
    lock.write(key)
    lock.flush()
    return True


def _found(path: Path, record: Provenance, pause: float) -> Checkpoint:
    if not path.is_file():
        return Checkpoint(path, record, interval_s=pause)
    file = read_weights(path)
    if file.provenance.id != record.id:
        raise RefusedInput(f"{path}: a checkpoint of another config or code; delete it to train from the start")
    log_line(f"going on at step {file.metadata['step']}")
    return Checkpoint(path, record, file.metadata["step"], file.metadata["lines"], dict(file.tensors), pause)
