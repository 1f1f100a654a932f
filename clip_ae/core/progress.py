"""Progress that a person can follow: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from clip_ae.core.errors import make_printable

T = TypeVar("T")
# Seconds between two plain lines.
LOG_INTERVAL_S = 10.0


def track(items: Iterable[T], label: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Yield the items, telling how many are done, the rate and the time left."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=label, total=total, unit=unit)
    else:
        yield from _lines(items, label, total, unit)


def _lines(items: Iterable[T], label: str, total: int | None, unit: str) -> Iterator[T]:
    start = told = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - told >= LOG_INTERVAL_S:
            told = now
            log_line(_line(label, done, total, unit, now - start))
    log_line(_line(label, done, total, unit, time.monotonic() - start))


def _line(label: str, done: int, total: int | None, unit: str, seconds: float) -> str:
    rate = done / seconds if seconds > 0 else 0.0
    of = f"/{total}" if total is not None else ""
    left = f", {(total - done) / rate:.0f} s left" if total and rate and done < total else ""
    return f"{label}: {done}{of} {unit} in {seconds:.1f} s ({rate:.1f} {unit}/s{left})"


def log_line(line: str) -> None:
    """One line, whatever names of files hold."""
    print(make_printable(line), file=sys.stderr, flush=True)
