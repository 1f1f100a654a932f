"""A training's last state, beside its outputs, for when it is killed.

Its name carries the digest of all that the training depends on, and so does what lies in it: another config's
checkpoint is never picked up. Where another process trains the same, this one goes on without: both write the same
bytes.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clip_ae.core.errors import RefusedInput
from clip_ae.core.progress import say
from clip_ae.core.provenance import Record
from clip_ae.io.weights import Tensors, read_weights, save_weights

# Seconds between two checkpoints: a large one takes seconds to write.
PAUSE = 60.0


@dataclass
class Checkpoint:
    """Where to save to, and what was found there."""

    path: Path | None
    record: Record
    step: int = 0
    # Of the log, as text: the order of their keys must not change on the way.
    lines: list[str] = field(default_factory=list)
    state: Tensors = field(default_factory=dict)
    pause: float = PAUSE
    saved: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        return self.path is not None and time.monotonic() - self.saved >= self.pause

    def save(self, step: int, state: Tensors, lines: list[str]) -> None:
        assert self.path is not None
        save_weights(self.path, state, self.record, {"step": step, "lines": lines})
        self.saved = time.monotonic()


@contextlib.contextmanager
def checkpoint(beside: Path, record: Record, pause: float = PAUSE) -> Iterator[Checkpoint]:
    """The checkpoint of the job that `record` describes; it goes when the block ends well."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    path = beside.with_name(f".{beside.stem}.{record.id[:16]}.checkpoint")
    lock = path.with_suffix(".lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"{beside}: another process is training this too; going on without a checkpoint")
            yield Checkpoint(None, record, pause=pause)
            return
        yield _found(path, record, pause)
        for old in beside.parent.glob(f".{beside.stem}.*.checkpoint"):
            old.unlink(missing_ok=True)
        lock.unlink(missing_ok=True)


def _found(path: Path, record: Record, pause: float) -> Checkpoint:
    if not path.is_file():
        return Checkpoint(path, record, pause=pause)
    file = read_weights(path)
    if file.record.id != record.id:
        raise RefusedInput(f"{path}: a checkpoint of another config or code; delete it to train from the start")
    say(f"going on at step {file.about['step']}")
    return Checkpoint(path, record, file.about["step"], file.about["lines"], dict(file.tensors), pause)
