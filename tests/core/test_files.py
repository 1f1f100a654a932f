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
