"""Progress of long loops, through `logging`: a bar on a terminal, plain lines elsewhere, nothing in a quiet library.

The command line calls `show_progress`. A program that imports clip_ae sees warnings only, until it sets the level of
the logger `clip_ae` to INFO.
"""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TextIO, TypeVar

from clip_ae.core.errors import make_printable

T = TypeVar("T")
LOGGER = logging.getLogger("clip_ae")
# Seconds between two plain lines.
LOG_INTERVAL_S = 10.0
# Warnings are shown on the terminal, where other lines of a workflow's jobs are only in their log files.
WARNING_PREFIX = "warning: "


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to the current sys.stderr, not to the one at the time of its creation."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def show_progress() -> None:
    """Print progress lines to stderr, as the command line does."""
    LOGGER.setLevel(logging.INFO)
    if not any(isinstance(handler, StderrHandler) for handler in LOGGER.handlers):
        LOGGER.addHandler(StderrHandler())
        LOGGER.propagate = False


def track(items: Iterable[T], label: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Yield the items and show how many are done, the rate and the time left."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    if not LOGGER.isEnabledFor(logging.INFO):
        yield from items
    elif sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=label, total=total, unit=unit)
    else:
        yield from _log_progress(items, label, total, unit)


def _log_progress(items: Iterable[T], label: str, total: int | None, unit: str) -> Iterator[T]:
    start = last_logged = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - last_logged >= LOG_INTERVAL_S:
            last_logged = now
            log_line(_progress_line(label, done, total, unit, now - start))
    log_line(_progress_line(label, done, total, unit, time.monotonic() - start))


def _progress_line(label: str, done: int, total: int | None, unit: str, seconds: float) -> str:
    rate = done / seconds if seconds > 0 else 0.0
    of_total = f"/{total}" if total is not None else ""
    time_left = f", {(total - done) / rate:.0f} s left" if total and rate and done < total else ""
    return f"{label}: {done}{of_total} {unit} in {seconds:.1f} s ({rate:.1f} {unit}/s{time_left})"


def log_line(line: str) -> None:
    """Log one line; characters that would break it, such as newlines in file names, are replaced."""
    LOGGER.info("%s", make_printable(line))


def log_warning(line: str) -> None:
    """Log one line that the user should see even if only the results of jobs are shown."""
    LOGGER.warning("%s%s", WARNING_PREFIX, make_printable(line))
