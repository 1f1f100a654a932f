"""A bar on a terminal, plain lines elsewhere, with the same facts."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from clip_ae.core import progress

PROGRAM = """
from clip_ae.core.progress import show_progress, track

show_progress()
for _ in track(range(7), "probe", unit="videos"):
    pass
"""


def test_plain_lines_tell_count_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0.0)
    assert list(progress.track(iter("abc"), "extract", total=3, unit="snippets")) == ["a", "b", "c"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("extract: 1/3 snippets in 0.0 s (")
    assert "s left)" in lines[0]
    assert lines[-1].startswith("extract: 3/3 snippets")
    assert "left" not in lines[-1]


def test_a_quiet_pace_prints_the_end_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track([], "probe")) == []
    assert capsys.readouterr().err == "probe: 0/0 it in 0.0 s (0.0 it/s)\n"


def test_a_library_is_silent_until_its_logger_is_turned_on() -> None:
    program = (
        "import logging; from clip_ae.core.progress import log_line, track; "
        "log_line('x'); list(track(range(3), 'probe')); "
        "logging.basicConfig(level=logging.INFO, format='%(name)s %(message)s'); log_line('y')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr == "clip_ae y\n"


def test_a_terminal_gets_a_bar() -> None:
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    subprocess.run([sys.executable, "-c", PROGRAM], stderr=child, check=True)
    os.close(child)
    text = _all(parent)
    assert "\r" in text
    assert "probe: 100%" in text
    assert "7/7" in text


def _all(terminal: int) -> str:
    """All output that a terminal received; its end raises an error."""
    parts: list[bytes] = []
    try:
        while part := os.read(terminal, 65536):
            parts.append(part)
    except OSError:
        pass
    os.close(terminal)
    return b"".join(parts).decode()
