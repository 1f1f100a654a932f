"""Sound of a video on the snippet grid: mono at one rate, placed by its own timestamps.

PyAV alone: decord's mono is 1.41 times too loud for stereo sources and takes no timestamps into account.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.timeline import Grid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.io.container import decoded, opened, scan, timestamp

# Timestamps of compressed sound jitter by less than this many seconds; a larger step is a gap.
JITTER = 0.04
Samples = NDArray[np.float32]


def windows(path: str, info: VideoInfo, grid: Grid, seconds: float = 0.96, rate: int = 16000) -> Iterator[Window]:
    """`seconds` of sound centred on each snippet, [n] float32; exactly info.snippets windows."""
    pieces = placed(path, scan(path).first, rate) if info.has_audio else iter(())
    held: list[tuple[int, Samples]] = []
    count = round(seconds * rate)
    for snippet in range(info.snippets):
        begin = round(grid.centre(snippet) * rate) - count // 2
        start, stop = round(grid.start(snippet) * rate), round(grid.stop(snippet) * rate)
        low, high = min(begin, start), max(begin + count, stop)
        while not held or held[-1][0] + len(held[-1][1]) < high:
            piece = next(pieces, None)
            if piece is None:
                break
            held.append(piece)
        held = [piece for piece in held if piece[0] + len(piece[1]) > low]
        sound, heard = _assembled(held, low, high)
        coverage = float(heard[start - low : stop - low].mean())
        yield Window(snippet, sound[begin - low : begin - low + count], coverage)


def _assembled(pieces: list[tuple[int, Samples]], low: int, high: int) -> tuple[Samples, NDArray[np.bool_]]:
    """Samples low ... high, silent where there are none, and which of them there are."""
    sound, heard = np.zeros(high - low, np.float32), np.zeros(high - low, np.bool_)
    for position, samples in pieces:
        first, last = max(position, low), min(position + len(samples), high)
        if first < last:
            sound[first - low : last - low] = samples[first - position : last - position]
            heard[first - low : last - low] = True
    return sound, heard


def placed(path: str, origin: float, rate: int) -> Iterator[tuple[int, Samples]]:
    """(position, samples): mono pieces in order, position 0 at the container's timestamp `origin`."""
    with opened(path) as container:
        stream = container.streams.best("audio")
        run: _Run | None = None
        for frame in decoded(container, stream) if stream else ():
            seconds = timestamp(frame)
            at = None if seconds is None else seconds - origin
            if run is None or not run.continues(frame, at):
                yield from run.push(None) if run else ()
                run = _Run(frame, at or 0.0, rate)
            yield from run.push(frame)
        yield from run.push(None) if run else ()


class _Run:
    """Sound without a gap, through one resampler."""

    def __init__(self, frame: Any, seconds: float, rate: int) -> None:
        from av import AudioResampler

        self.form = (frame.format.name, frame.layout.name, frame.sample_rate)
        # Channels stay apart here: swresample's own mixing down of floats is 1.41 times too loud as well.
        self.resampler = AudioResampler(format="fltp", layout=frame.layout, rate=rate)
        self.position = round(seconds * rate)
        self.end = seconds

    def continues(self, frame: Any, seconds: float | None) -> bool:
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        return form == self.form and (seconds is None or abs(seconds - self.end) <= JITTER)

    def push(self, frame: Any) -> Iterator[tuple[int, Samples]]:
        """What the resampler gives for one more frame; its tail for None."""
        if frame is not None:
            self.end += frame.samples / frame.sample_rate
        for piece in self.resampler.resample(frame):
            samples = piece.to_ndarray().mean(axis=0, dtype=np.float32)
            yield self.position, samples
            self.position += len(samples)
