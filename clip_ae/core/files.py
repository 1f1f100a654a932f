"""Atomic and durable writes: a file is written under a temporary name in its folder, synced to the disk, then renamed.

After a crash of a process a file is whole or absent; after a power cut too, because its bytes are on the disk before it
has its name. Once a write has returned, the name is on the disk as well.
"""

import contextlib
import errno
import hashlib
import json
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from clip_ae.core.errors import UserError

# Bytes of a name that a temporary name repeats. File systems allow 255 for the whole of it.
MAX_READABLE_NAME = 100
# Characters of the longest suffix that names a format.
MAX_SUFFIX = 20
HOSTNAME = socket.gethostname()
# Disk errors that only the user can mend, and what to do. None of them comes from reading.
DISK_ERRORS = {
    errno.ENOSPC: "no space is left there; free some and run again",
    errno.EDQUOT: "your quota there is used up; free some space and run again",
    errno.EROFS: "the file system there is read-only; name another folder, or make it writable",
    errno.EFBIG: "it is larger than your limit for a file; raise the limit (ulimit -f)",
}


@contextlib.contextmanager
def report_disk_errors(path: Path) -> Iterator[None]:
    """Turn the error of a full or read-only disk during a write into one line."""
    try:
        yield
    except Exception as error:
        # Libraries that write files themselves raise errors without an errno: their text names the cause.
        codes = [
            code for code in DISK_ERRORS if getattr(error, "errno", None) == code or os.strerror(code) in str(error)
        ]
        if not codes:
            raise
        raise UserError(f"{path}: cannot be written: {DISK_ERRORS[codes[0]]}") from None


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path to write to: renamed when the block ends well, removed otherwise."""
    path = _follow_link(path)
    refuse_special_file(path)
    prefix, suffix = _temporary_name_ends(path)
    temporary = path.with_name(f"{prefix}{os.getpid()}{suffix}")
    with report_disk_errors(path):
        _make_folder(path.parent)
        _remove_leftovers(path)
        try:
            # safetensors makes files that only their owner may read; on a cluster others read results.
            temporary.touch()
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(mode)
            _sync(temporary)
            os.replace(temporary, path)
            _sync(path.parent)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _follow_link(path: Path) -> Path:
    """What a link names, so that a link keeps its place; a link to itself stays as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def refuse_special_file(path: Path) -> None:
    """Refuse a pipe or a device: reading one may block or never end, and writing would put a file in its place."""
    if is_special_file(path):
        raise UserError(f"{path}: is a pipe or a device; name a file")


def is_special_file(path: Path) -> bool:
    """Whether a path is a pipe, a device or a socket."""
    return path.exists() and not (path.is_file() or path.is_dir())


def remove_listed_files(manifest: Path, key: str, folder: Path) -> None:
    """Remove a manifest and the files of `folder` that it lists under `key`, from an earlier run; no other file."""
    if not manifest.is_file():
        return
    try:
        names = list(json.loads(manifest.read_text(encoding="utf-8"))[key])
    except (ValueError, KeyError, TypeError, RecursionError):
        # Half of a manifest, or another file in its place: nothing is known to be ours.
        names = []
    for path in (folder / name for name in names if isinstance(name, str) and "\0" not in name):
        if path.resolve().is_relative_to(folder.resolve()) and path.is_file():
            path.unlink()
    manifest.unlink()


def check_writable_dir(option: str, directory: Path) -> None:
    """Refuse a folder that cannot be created or written to, before any work is done."""
    existing = _find_existing(directory)
    if not _is_writable_dir(existing):
        raise UserError(f"{option} {directory}: {existing} is not a folder that you can write to; name another")


def _find_existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(candidate for candidate in (path, *path.absolute().parents) if candidate.exists())


def _is_writable_dir(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.W_OK)


def write_text(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_output_path(out_path: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse an output that cannot be written or that is one of the inputs, before any work is done."""
    refuse_special_file(out_path)
    folder = _follow_link(out_path).absolute().parent
    if not _is_writable_dir(_find_existing(folder)):
        raise UserError(f"--out {out_path}: its folder {folder} cannot be written to; name another")
    if out_path.is_dir():
        raise UserError(f"--out {out_path}: is a folder; name a file")
    if out_path.exists() and any(path is not None and path.exists() and out_path.samefile(path) for path in inputs):
        raise UserError(f"--out {out_path}: is one of the inputs; name another file")


def _temporary_name_ends(path: Path) -> tuple[str, str]:
    """What stands before and after the process id in temporary names; short, however long the file's name is.

    The suffix is kept: some writers choose the format by it.
    """
    if len(os.fsencode(path.name)) <= MAX_READABLE_NAME:
        return f".{path.stem}.{HOSTNAME}.", f".tmp{path.suffix}"
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return f".{digest}.{HOSTNAME}.", f".tmp{path.suffix if len(path.suffix) <= MAX_SUFFIX else ''}"


def _make_folder(folder: Path) -> None:
    """Create a folder and those above it, and put the names of the new ones on the disk."""
    above = _find_existing(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for parent in folder.absolute().parents:
        if not parent.is_relative_to(above.absolute()):
            break
        _sync(parent)


def _sync(path: Path) -> None:
    """Wait until the bytes of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files that killed processes of this machine left in the folder."""
    prefix, suffix = _temporary_name_ends(path)
    for entry in os.scandir(path.parent):
        if entry.name.startswith(prefix) and entry.name.endswith(suffix):
            pid = entry.name.removeprefix(prefix).split(".")[0]
            if pid.isdigit() and not _is_running(int(pid)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry.path)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
