"""Lock the decoder's child process: no network, no writing to files, no other processes. On Linux; it cannot be undone.

A seccomp filter is a program that the kernel runs at every system call. This one refuses the calls of
forbidden_calls.py, and some others by their arguments. Files that are open stay open: the pipe, the shared memory, and
a file that the parent process has opened for a cut.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from errno import ENOSYS, EPERM

from clip_ae.media.forbidden_calls import FORBIDDEN_CALLS, LAST_KNOWN_CALL

PR_SET_NO_NEW_PRIVS = 38
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC = 1, 1


@dataclass(frozen=True)
class Architecture:
    """Numbers of a kind of machine: of system calls, and what the kernel calls the machine."""

    # Place of its numbers in forbidden_calls.py.
    column: int
    # AUDIT_ARCH of the kernel.
    audit: int
    seccomp: int
    tgkill: int
    clone: int
    ioctl: int
    fcntl: int
    prlimit64: int
    # By number of a call that opens files: which argument has the flags.
    opening: Mapping[int, int]


ARCHITECTURES = {
    "x86_64": Architecture(0, 0xC000003E, 317, 234, 56, 16, 72, 302, {2: 1, 257: 2}),
    "aarch64": Architecture(1, 0xC00000B7, 277, 131, 220, 29, 25, 261, {56: 2}),
}
# Calls whose arguments are in memory, where a filter cannot look. C libraries then use the older call.
CLONE3, OPENAT2 = 435, 437
O_TMPFILE_BIT = 0o20000000
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | O_TMPFILE_BIT
CLONE_THREAD = 0x10000
# What may be asked of an open file: is it a terminal, how wide, how many bytes wait in it, shall reading wait, shall a
# new program inherit it. Other requests type letters into a terminal, change a file's attributes, or send signals.
IOCTL_REQUESTS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Copies of a descriptor, its flags, locks, and size and seals of what it names; not its owner, who gets signals.
FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032, 1034)
# Offsets in the kernel's struct seccomp_data.
NR_OFFSET, ARCH_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16
ALLOW, REFUSE, UNKNOWN = 0x7FFF0000, 0x00050000 | EPERM, 0x00050000 | ENOSYS
LOAD, EQUAL, ABOVE, ANY_BIT, RETURN = 0x20, 0x15, 0x25, 0x45, 0x06

Instruction = tuple[int, int, int, int]


def lock_process() -> str | None:
    """Lock this process with all its threads; what could not be had, or None."""
    machine = platform.machine()
    if platform.system() != "Linux" or machine not in ARCHITECTURES:
        return f"there is no filter of system calls for {platform.system()} on {machine}"
    libc, architecture = ctypes.CDLL(None, use_errno=True), ARCHITECTURES[machine]
    program = b"".join(struct.pack("HBBI", *step) for step in build_filter(architecture, os.getpid()))
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, and where they are.
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.syscall(architecture.seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, header):
        return f"the kernel refuses a filter of system calls ({os.strerror(ctypes.get_errno())})"
    return None


def build_filter(architecture: Architecture, pid: int) -> list[Instruction]:
    """The filter's instructions: (operation, instructions to skip if true, if false, operand)."""
    columns = [numbers[architecture.column] for numbers in FORBIDDEN_CALLS.values()]
    forbidden = [number for number in columns if number is not None]
    program = [(LOAD, 0, 0, ARCH_OFFSET), (EQUAL, 1, 0, architecture.audit), (RETURN, 0, 0, REFUSE)]
    program += [(LOAD, 0, 0, NR_OFFSET), (ABOVE, 0, 1, LAST_KNOWN_CALL), (RETURN, 0, 0, UNKNOWN)]
    for number in (CLONE3, OPENAT2):
        program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, UNKNOWN)]
    for number in forbidden:
        program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE)]
    for number, argument in architecture.opening.items():
        program += _judge(number, [_load(argument), (ANY_BIT, 0, 1, WRITE_FLAGS)])
    # A new process, not a thread; a signal to another process; a request of another kind; a new limit.
    program += _judge(architecture.clone, [_load(0), (ANY_BIT, 1, 0, CLONE_THREAD)])
    program += _judge(architecture.tgkill, [_load(0), (EQUAL, 1, 0, pid)])
    program += _judge(architecture.ioctl, [_load(1), *_is_one_of(IOCTL_REQUESTS)])
    program += _judge(architecture.fcntl, [_load(1), *_is_one_of(FCNTL_COMMANDS)])
    program += _judge(architecture.prlimit64, [_load(2), (EQUAL, 0, 2, 0), _load(2, high=True), (EQUAL, 1, 0, 0)])
    return [*program, (RETURN, 0, 0, ALLOW)]


def _judge(number: int, test: Sequence[Instruction]) -> list[Instruction]:
    """Refuse one call unless the test, whose last instruction may skip one more, skips the refusal."""
    body = [*test, (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    return [(EQUAL, 0, len(body), number), *body]


def _is_one_of(values: Sequence[int]) -> list[Instruction]:
    """A test for `_judge`: it skips the refusal if what was loaded is one of the values."""
    return [(EQUAL, len(values) - number, 0, value) for number, value in enumerate(values)]


def _load(argument: int, *, high: bool = False) -> Instruction:
    """Load the low or the high half of an argument; both machines are little-endian."""
    return (LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * argument + 4 * high)
