"""The decoder's child process really cannot do what SECURITY.md says that it cannot."""

import ctypes
import fcntl
import mmap
import os
import platform
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clip_ae.core.timeline import SnippetGrid
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.forbidden_calls import FORBIDDEN_CALLS, LAST_KNOWN_CALL
from clip_ae.media.sandbox import ARCHITECTURES, build_filter, lock_process
from tests.builders import ROOT
from tests.media_files import write_video

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() not in ARCHITECTURES, reason="no filter for this machine"
)
LIBC = ctypes.CDLL(None, use_errno=True)
TIOCSTI = 0x5412
HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


def call_kernel(number: int, *arguments: int) -> None:
    """Make a system call that Python has no function for."""
    if LIBC.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "system call")


def start_program() -> None:
    os.execv("/bin/true", ["true"])


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def change_limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def move_parent() -> None:
    """To the cores that it has, so that nothing changes where this succeeds."""
    os.sched_setaffinity(os.getppid(), os.sched_getaffinity(os.getppid()))


def change_attributes(path: Path) -> None:
    """FS_IOC_SETFLAGS: `chattr +A`."""
    with path.open("rb") as file:
        fcntl.ioctl(file, 0x40086602, (0x80).to_bytes(8, "little"))


# Each is given the path of a file that exists.
FORBIDDEN_ACTS: dict[str, Callable[[Path], Any]] = {
    "open an internet socket": lambda path: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "open a local socket": lambda path: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "write to a file": lambda path: path.open("r+b"),
    "append to a file": lambda path: path.open("ab"),
    "create a file": lambda path: path.with_name("new").open("xb"),
    "create a file without a name": lambda path: os.open(path.parent, os.O_TMPFILE | os.O_WRONLY),
    "cut a file": lambda path: os.truncate(path, 0),
    "remove a file": lambda path: path.unlink(),
    "rename a file": lambda path: path.rename(path.with_name("other")),
    "change permissions": lambda path: path.chmod(0o777),
    "create a folder": lambda path: path.with_name("folder").mkdir(),
    "create a link": lambda path: path.with_name("link").symlink_to(path),
    "change times": lambda path: os.utime(path, (0, 0)),
    "start a program": lambda path: start_program(),
    "start a process": lambda path: fork(),
    "start a shell": lambda path: subprocess.run(["true"], check=True),
    "signal the parent": lambda path: os.kill(os.getppid(), 0),
    "trace the parent": lambda path: call_kernel(
        101 if platform.machine() == "x86_64" else 117, 16, os.getppid(), 0, 0
    ),
    "write to the parent's memory": lambda path: os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR),
    "type into a terminal": lambda path: call_kernel(ARCHITECTURES[platform.machine()].ioctl, 0, TIOCSTI, 0),
    "send signals by a file that others write to": lambda path: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid()),
    "choose that signal": lambda path: fcntl.fcntl(os.pipe()[0], fcntl.F_SETSIG, 9),
    "change a file's attributes": change_attributes,
    "move another process to another core": lambda path: move_parent(),
    "make a memory file": lambda path: os.memfd_create("x"),
    "send a message": lambda path: call_kernel(69 if platform.machine() == "x86_64" else 189, 0, 0, 0, 0),
    "raise a limit": lambda path: change_limit(),
    "leave by a call that is newer than the filter": lambda path: call_kernel(LAST_KNOWN_CALL + 1, 0, 0, 0),
}
ALLOWED_ACTS: dict[str, Callable[[Path], Any]] = {
    "read a file": lambda path: path.read_bytes(),
    "list a folder": lambda path: os.listdir(path.parent),
    "start a thread": lambda path: run_thread(),
    "copy a descriptor": lambda path: os.dup(0),
    "ask for the flags of a descriptor": lambda path: fcntl.fcntl(0, fcntl.F_GETFL),
    "ask how many bytes wait": lambda path: fcntl.ioctl(path.open("rb"), termios.FIONREAD, bytes(4)),
    "map memory": lambda path: mmap.mmap(-1, 1 << 20),
    "load a library": lambda path: __import__("decord"),
}


def run_thread() -> None:
    thread = threading.Thread(target=time_is_up)
    thread.start()
    thread.join()


def time_is_up() -> None:
    pass


def try_acts(path: str) -> None:
    """Print what the locked process could do; run in a process of its own."""
    early = threading.Event()
    answers: list[str] = []

    def write_from_earlier_thread() -> None:
        early.wait()
        answers.append(describe(lambda path: path.open("r+b"), Path(path)))

    thread = threading.Thread(target=write_from_earlier_thread)
    thread.start()
    assert lock_process() is None
    early.set()
    thread.join()
    acts = FORBIDDEN_ACTS | ALLOWED_ACTS
    lines = [f"{name}: {describe(act, Path(path))}" for name, act in acts.items()]
    print("\n".join([*lines, f"write from a thread that ran before: {answers[0]}"]))


def describe(act: Callable[[Path], Any], path: Path) -> str:
    try:
        act(path)
    except (OSError, ValueError):  # resource.setrlimit raises ValueError where it is not allowed
        return "refused"
    return "done"


def run_acts(path: Path) -> dict[str, str]:
    code = "import sys; from tests.media.test_sandbox import try_acts; try_acts(sys.argv[1])"
    command = [sys.executable, "-c", code, str(path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(line.split(": ") for line in run.stdout.splitlines())


def test_no_forbidden_act_succeeds_and_what_a_decoder_needs_does(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    answers = run_acts(path)
    expected = dict.fromkeys(FORBIDDEN_ACTS, "refused") | dict.fromkeys(ALLOWED_ACTS, "done")
    assert answers == expected | {"write from a thread that ran before": "refused"}
    assert (path.read_text(), [entry.name for entry in tmp_path.iterdir()]) == ("content", ["file"])


def test_the_acts_would_succeed_without_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    for name in (
        "open an internet socket",
        "append to a file",
        "start a process",
        "signal the parent",
        "raise a limit",
        "send signals by a file that others write to",
        "choose that signal",
        "move another process to another core",
        "make a memory file",
    ):
        assert describe(FORBIDDEN_ACTS[name], path) == "done"


def test_the_decoder_s_process_is_locked_and_has_no_terminal(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4")
    with Decoder() as decoder:
        decoder.probe_video(tmp_path / "a.mp4", SnippetGrid())
        assert decoder.process
        process = Path(f"/proc/{decoder.process.pid}")
        status = dict(line.split(":\t") for line in (process / "status").read_text().splitlines() if ":\t" in line)
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
        assert {os.readlink(process / "fd" / str(fd)) for fd in (0, 1, 2)} == {"/dev/null"}


def test_the_limit_of_memory_holds_for_memory_files_too() -> None:
    """The buffer of windows is one: what is written to it is not in the address space."""
    program = """
import os
from clip_ae.media.decoder_service import _limit_memory
file = os.memfd_create("windows")
_limit_memory(50_000_000)
os.pwrite(file, b"x", 40_000_000)
try:
    os.pwrite(file, b"x", 60_000_000)
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "File too large"


@pytest.mark.skipif(not HEADER.exists(), reason="no headers of the kernel here")
def test_the_numbers_are_those_of_the_kernel_s_header() -> None:
    lines = [line.split() for line in HEADER.read_text().splitlines() if line.startswith("#define __NR_")]
    numbers = {line[1].removeprefix("__NR_"): int(line[2]) for line in lines}
    known = {name: x86 for name, (x86, _) in FORBIDDEN_CALLS.items() if x86 is not None and name in numbers}
    assert known == {name: numbers[name] for name in known}
    machine = ARCHITECTURES["x86_64"]
    names = ("tgkill", "clone", "ioctl", "fcntl", "prlimit64", "seccomp")
    assert [getattr(machine, name) for name in names] == [numbers[name] for name in names]


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_every_jump_of_the_filter_ends_inside_it(machine: str) -> None:
    program = build_filter(ARCHITECTURES[machine], pid=1)
    for place, (operation, if_true, if_false, _) in enumerate(program):
        if operation != 0x06:
            assert place + 1 + max(if_true, if_false) < len(program)
    assert len(program) < 4096
