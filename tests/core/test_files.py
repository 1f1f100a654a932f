"""A file is complete or absent."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clip_ae.core import files
from clip_ae.core.errors import UserError
from clip_ae.core.files import atomic_write, write_text


def test_a_failed_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "old"
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    program = (
        "import os, sys; from pathlib import Path; from clip_ae.core.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as t:\n    t.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 1
    write_text(path, "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


def test_a_living_process_keeps_its_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    other = tmp_path / f".a.{files.HOSTNAME}.{os.getppid()}.tmp.json"
    other.write_text("being written")
    write_text(path, "mine")
    assert other.exists()


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 125 + ".json", "b" * 250 + ".json", "v." + "b" * 250])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


class PowerCut:
    """What is on the disk after a power cut: bytes that were synced, under names that were synced.

    A file system may keep everything else in memory. So here it keeps nothing else.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.root = root
        self.synced_bytes: dict[int, bytes] = {}
        self.synced_names: dict[Path, dict[str, int]] = {root: {}}
        self.fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self.sync)

    def sync(self, descriptor: int) -> None:
        self.fsync(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_dir():
            self.synced_names[path] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self.synced_bytes[path.stat().st_ino] = path.read_bytes()

    def read(self, path: Path) -> bytes | None:
        """The bytes of a file after the power cut: None if its name is lost, b"" if only its bytes are."""
        for folder in [*reversed([p for p in path.parents if p.is_relative_to(self.root)]), path]:
            if folder != self.root and folder.name not in self.synced_names.get(folder.parent, {}):
                return None
        return self.synced_bytes.get(self.synced_names[path.parent][path.name], b"")


def test_after_a_power_cut_a_file_is_the_old_one_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, path = PowerCut(monkeypatch, tmp_path), tmp_path / "new" / "folders" / "a.json"
    write_text(path, "old")
    assert disk.read(path) == b"old"
    replace = os.replace

    def cut(source: Path, target: Path) -> None:
        replace(source, target)
        # A file system may put the new name on the disk by itself.
        disk.sync(os.open(target.parent, os.O_RDONLY))
        assert disk.read(path) == b"new"

    monkeypatch.setattr(os, "replace", cut)
    write_text(path, "new")
    assert disk.read(path) == b"new"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_a_file_system_that_cannot_sync_folders_is_used_and_an_error_of_the_disk_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(descriptor: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")).is_dir():
            raise OSError(number, "fsync")

    monkeypatch.setattr(os, "fsync", fail)
    if number == errno.EINVAL:
        write_text(tmp_path / "a", "x")
    else:
        with pytest.raises(OSError, match="fsync"):
            write_text(tmp_path / "a", "x")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError(f"I/O error: {os.strerror(errno.ENOSPC)} (os error 28)"),
        OSError(errno.EROFS, "Read-only file system"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
    ],
)
def test_a_fault_of_the_disk_is_told_in_a_line_and_leaves_nothing(tmp_path, error):
    path = tmp_path / "table.parquet"
    with (
        pytest.raises(UserError, match=r"table\.parquet: cannot be written: .*(space|read-only)"),
        atomic_write(path) as part,
    ):
        part.write_bytes(b"half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_an_output_in_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    message = f"--out map.json: its folder {tmp_path} cannot be written to; name another"
    with pytest.raises(UserError, match=rf"^{re.escape(message)}$"):
        files.check_output_path(Path("map.json"), [])


def test_another_error_passes_as_it_is(tmp_path):
    with pytest.raises(PermissionError), atomic_write(tmp_path / "x"):
        raise PermissionError(errno.EACCES, "not yours", "elsewhere")


def test_a_file_has_the_mode_of_other_files_whatever_its_writer_does(tmp_path: Path) -> None:
    """safetensors writes files that only their owner may read."""
    before = os.umask(0o027)
    try:
        with files.atomic_write(tmp_path / "network") as temporary:
            temporary.unlink()
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    assert (tmp_path / "network").stat().st_mode & 0o777 == 0o640
