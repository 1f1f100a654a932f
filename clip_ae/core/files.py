"""Files that are whole or absent: written beside their place, then renamed."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from clip_ae.core.errors import UserError

HOSTNAME = socket.gethostname()
# What no code can mend, and what to do about it. None of these comes from reading.
DISK_ERRORS = {
    errno.ENOSPC: "no space is left there; free some and run again",
    errno.EDQUOT: "your quota there is used up; free some space and run again",
    errno.EROFS: "the file system there is read-only; name another folder, or make it writable",
}


@contextlib.contextmanager
def report_disk_errors(path: Path) -> Iterator[None]:
    """A full or read-only disk under a file that is being written ends in one line."""
    try:
        yield
    except Exception as error:
        # Libraries that write by themselves tell the cause in words alone.
        codes = [
            code for code in DISK_ERRORS if getattr(error, "errno", None) == code or os.strerror(code) in str(error)
        ]
        if not codes:
            raise
        raise UserError(f"{path}: cannot be written: {DISK_ERRORS[codes[0]]}") from None


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A path to write to; it takes the final name when the block ends well, and vanishes otherwise."""
    # The name keeps its suffix: some writers choose a format by it.
    temporary = path.with_name(f".{path.stem}.{HOSTNAME}.{os.getpid()}.tmp{path.suffix}")
    with report_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def check_writable_dir(option: str, directory: Path) -> None:
    """Refuse a folder that cannot be made or written to, before any work is done for it."""
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"{option} {directory}: {there} is not a folder that you can write to; name another")


def write_text(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_output_path(out_path: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse, before any work, an output that cannot be written or that is one of the inputs."""
    check_writable_dir("--out", out_path.parent)
    if out_path.is_dir():
        raise UserError(f"--out {out_path}: is a folder; name a file")
    if out_path.exists() and any(path is not None and path.exists() and out_path.samefile(path) for path in inputs):
        raise UserError(f"--out {out_path}: is one of the inputs; name another file")


def _sweep(path: Path) -> None:
    """Remove what killed processes of this machine left beside the file."""
    prefix = f".{path.stem}.{HOSTNAME}."
    for entry in os.scandir(path.parent):
        if entry.name.startswith(prefix) and entry.name.endswith(f".tmp{path.suffix}"):
            pid = entry.name.removeprefix(prefix).split(".")[0]
            if pid.isdigit() and not _alive(int(pid)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry.path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
