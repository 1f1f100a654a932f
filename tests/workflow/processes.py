"""Processes and their descendants."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path


def list_process_tree(pid: int) -> list[int]:
    """A process and all its descendants, deepest last."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parent = {int(row.split()[0]): int(row.split()[1]) for row in listed.splitlines()}
    tree = [pid]
    for known in tree:
        tree += [child for child, above in parent.items() if above == known and child not in tree]
    return tree


def is_running(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def kill_process_tree(pid: int) -> None:
    """Kill a process and all its descendants. They are stopped first, so that none can start another."""
    stopped: list[int] = []
    while running := [member for member in list_process_tree(pid) if member not in stopped]:
        for member in running:
            send_signal(member, signal.SIGSTOP)
        stopped += running
    for member in stopped:
        send_signal(member, signal.SIGKILL)


def send_signal(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that has ended is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
