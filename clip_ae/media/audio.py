"""Sound of a video on the snippet grid: mono at 16 kHz, placed by its own timestamps.

PyAV alone: decord's mono is 1.41 times too loud for stereo sources and takes no timestamps into account.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media.container import decode_frames, get_timestamp, open_container, scan_packets

SAMPLE_RATE = 16_000
# What VGGish hears: its 96 windows of 400 samples, one every 160, span 95 * 160 + 400.
WINDOW_SAMPLES = 15_600
# dB of full scale: the last bit of 16.
SILENCE_DB = -96.0
# Samples a second that are believed: a block of 1024 at 1 Hz becomes 65 MB, and no memory holds a filter for 2 GHz.
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1000, 1_000_000
# Timestamps of compressed sound jitter by less than this many seconds; a larger step is a gap.
MAX_JITTER_S = 0.04
# The filter behind the published features, resampy's `kaiser_best`: 64 zero crossings to either side of its sinc
# (swresample divides the size by the cutoff). Its default is 4 % down at 7 kHz and lets 8.2 kHz fold back.
RESAMPLER_OPTIONS = {"filter_type": "kaiser", "filter_size": 121, "cutoff": 0.9475937, "kaiser_beta": 14.769656}
Samples = NDArray[np.float32]


def read_audio_windows(path: str, info: VideoInfo, grid: SnippetGrid) -> Iterator[Window]:
    """Sound centred on each snippet, float32 [15600]; exactly info.snippets windows, silent where there is none."""
    pieces = decode_audio(path, scan_packets(path).start_time) if info.has_audio else iter(())
    held: list[tuple[int, Samples]] = []
    for snippet in range(info.snippets):
        begin = round(grid.centre(snippet) * SAMPLE_RATE) - WINDOW_SAMPLES // 2
        start, stop = round(grid.start(snippet) * SAMPLE_RATE), round(grid.stop(snippet) * SAMPLE_RATE)
        low, high = min(begin, start), max(begin + WINDOW_SAMPLES, stop)
        while not held or held[-1][0] + len(held[-1][1]) < high:
            piece = next(pieces, None)
            if piece is None:
                break
            # Sound may begin hours before the picture.
            held = [part for part in (*held, piece) if part[0] + len(part[1]) > low]
        sound, heard = _assembled(held, low, high)
        own, own_heard = sound[start - low : stop - low], heard[start - low : stop - low]
        data = sound[begin - low : begin - low + WINDOW_SAMPLES]
        yield Window(snippet, data, float(own_heard.mean()), measure_loudness(own[own_heard]))


def measure_loudness(samples: Samples) -> float:
    """dB of full scale, which a square wave reaches; not below SILENCE."""
    power = float(np.mean(samples**2, dtype=np.float64)) if len(samples) else 0.0
    return max(SILENCE_DB, 10 * math.log10(power)) if power else SILENCE_DB


def _assembled(pieces: list[tuple[int, Samples]], low: int, high: int) -> tuple[Samples, NDArray[np.bool_]]:
    """Samples low ... high, silent where there are none, and which of them there are."""
    sound, heard = np.zeros(high - low, np.float32), np.zeros(high - low, np.bool_)
    for position, samples in pieces:
        first, last = max(position, low), min(position + len(samples), high)
        if first < last:
            sound[first - low : last - low] = samples[first - position : last - position]
            heard[first - low : last - low] = True
    return sound, heard


def decode_audio(path: str, start_time: float) -> Iterator[tuple[int, Samples]]:
    """(position, samples): mono pieces in order, position 0 at the container's timestamp `origin`."""
    with open_container(path) as container:
        stream = container.streams.best("audio")
        run: _Run | None = None
        for frame in decode_frames(container, stream) if stream else ():
            seconds = get_timestamp(frame)
            at = None if seconds is None else seconds - start_time
            if run is None or not run.continues(frame, at):
                yield from run.push(None) if run else ()
                run = _Run(frame, at or 0.0)
            yield from run.push(frame)
        yield from run.push(None) if run else ()


class _Run:
    """Sound without a gap, through one resampler."""

    def __init__(self, frame: Any, seconds: float) -> None:
        from av import AudioResampler

        if not MIN_SAMPLE_RATE <= frame.sample_rate <= MAX_SAMPLE_RATE:
            raise Unreadable("rate", f"its sound has {frame.sample_rate} samples a second, which no recorder writes")
        self.form = (frame.format.name, frame.layout.name, frame.sample_rate)
        # Channels stay apart here: swresample's own mixing down of floats is 1.41 times too loud as well. They are
        # interleaved, as av dies of reading eight planes.
        self.resampler = AudioResampler(format="flt", layout=frame.layout, rate=SAMPLE_RATE, options=RESAMPLER_OPTIONS)
        self.position = round(seconds * SAMPLE_RATE)
        self.end = seconds

    def continues(self, frame: Any, seconds: float | None) -> bool:
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        return form == self.form and (seconds is None or abs(seconds - self.end) <= MAX_JITTER_S)

    def push(self, frame: Any) -> Iterator[tuple[int, Samples]]:
        """What the resampler gives for one more frame; its tail for None."""
        if frame is not None:
            self.end += frame.samples / frame.sample_rate
        for piece in self.resampler.resample(frame):
            channels = piece.to_ndarray().reshape(piece.samples, -1)
            samples = channels.mean(axis=1, dtype=np.float32)
            yield self.position, samples
            self.position += len(samples)
