"""Processes and what they have started."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path


def children(pid: int) -> list[int]:
    """A process and all its descendants, deepest last."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parent = {int(row.split()[0]): int(row.split()[1]) for row in listed.splitlines()}
    found = [pid]
    for known in found:
        found += [child for child, above in parent.items() if above == known and child not in found]
    return found


def alive(pid: int) -> bool:
    """Whether it runs; one that ended and that nobody has asked for does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def kill_all(pid: int) -> None:
    """End a process and all its descendants at once: first they stand still, so that none can start another."""
    still: list[int] = []
    while moving := [one for one in children(pid) if one not in still]:
        for one in moving:
            send(one, signal.SIGSTOP)
        still += moving
    for one in still:
        send(one, signal.SIGKILL)


def send(pid: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)
