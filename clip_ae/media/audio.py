"""Read a video's audio on the snippet grid: mono at 16 kHz, positioned by its own timestamps.

Only PyAV reads audio: decord's mono is 1.41 times too loud for stereo sources and ignores timestamps.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media.container import decode_frames, get_timestamp, open_container
from clip_ae.media.packet_scan import scan_packets

SAMPLE_RATE = 16_000
# The input of VGGish: its 96 windows of 400 samples, one each 160, span 95 * 160 + 400.
WINDOW_SAMPLES = 15_600
# The level of the last bit of 16-bit audio, in dB of full scale.
SILENCE_DB = -96.0
# Accepted sample rates. A block of 1024 samples at 1 Hz would become 65 MB, and a filter for 2 GHz fits in no memory.
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1000, 1_000_000
# Timestamps of compressed audio jitter by less than this many seconds; a larger step is a gap.
MAX_JITTER_S = 0.04
# The filter of the published features, resampy's `kaiser_best`: a sinc with 64 zero crossings to either side
# (swresample divides the size by the cutoff). swresample's default lowers 7 kHz by 4 % and aliases 8.2 kHz.
RESAMPLER_OPTIONS = {"filter_type": "kaiser", "filter_size": 121, "cutoff": 0.9475937, "kaiser_beta": 14.769656}
Samples = NDArray[np.float32]


def read_audio_windows(path: str, info: VideoInfo, grid: SnippetGrid) -> Iterator[Window]:
    """Yield float32 [15600] centred on each of info.snippets snippets; silence where there is no audio.

    Coverage and loudness are those of the snippet itself.
    """
    pieces = decode_audio(path, scan_packets(path).start_time) if info.has_audio else iter(())
    buffered: list[tuple[int, Samples]] = []
    for snippet in range(info.snippets):
        window_start = round(grid.centre(snippet) * SAMPLE_RATE) - WINDOW_SAMPLES // 2
        start, stop = round(grid.start(snippet) * SAMPLE_RATE), round(grid.stop(snippet) * SAMPLE_RATE)
        low, high = min(window_start, start), max(window_start + WINDOW_SAMPLES, stop)
        while not buffered or _end_of(buffered[-1]) < high:
            piece = next(pieces, None)
            if piece is None:
                break
            # Drop what is before this window: the audio may begin hours before the video.
            buffered = [part for part in (*buffered, piece) if _end_of(part) > low]
        samples, covered_mask = _assemble(buffered, low, high)
        snippet_mask = covered_mask[start - low : stop - low]
        loudness = measure_loudness(samples[start - low : stop - low][snippet_mask])
        data = samples[window_start - low : window_start - low + WINDOW_SAMPLES]
        yield Window(snippet, data, float(snippet_mask.mean()), loudness)


def measure_loudness(samples: Samples) -> float:
    """Return dB of full scale (a full-scale square wave has 0 dB), at least SILENCE_DB."""
    power = float(np.mean(samples**2, dtype=np.float64)) if len(samples) else 0.0
    return max(SILENCE_DB, 10 * math.log10(power)) if power else SILENCE_DB


def _end_of(piece: tuple[int, Samples]) -> int:
    position, samples = piece
    return position + len(samples)


def _assemble(pieces: list[tuple[int, Samples]], low: int, high: int) -> tuple[Samples, NDArray[np.bool_]]:
    """Return the samples low ... high, zero where no piece covers them, and the mask of those that are covered."""
    assembled, covered_mask = np.zeros(high - low, np.float32), np.zeros(high - low, np.bool_)
    for position, samples in pieces:
        first, last = max(position, low), min(position + len(samples), high)
        if first < last:
            assembled[first - low : last - low] = samples[first - position : last - position]
            covered_mask[first - low : last - low] = True
    return assembled, covered_mask


def decode_audio(path: str, start_time: float) -> Iterator[tuple[int, Samples]]:
    """Yield (position, mono samples) in order. Position 0 is at the container's timestamp `start_time` (seconds)."""
    with open_container(path) as container:
        stream = container.streams.best("audio")
        segment: _AudioSegment | None = None
        for frame in decode_frames(container, stream) if stream else ():
            timestamp = get_timestamp(frame)
            seconds = None if timestamp is None else timestamp - start_time
            if segment is None or not segment.continues_with(frame, seconds):
                yield from segment.resample(None) if segment else ()
                segment = _AudioSegment(frame, seconds or 0.0)
            yield from segment.resample(frame)
        yield from segment.resample(None) if segment else ()


class _AudioSegment:
    """Audio without a gap and of one format, which passes through one resampler."""

    def __init__(self, frame: Any, seconds: float) -> None:
        from av import AudioResampler

        if not MIN_SAMPLE_RATE <= frame.sample_rate <= MAX_SAMPLE_RATE:
            raise Unreadable("rate", f"its audio has {frame.sample_rate} samples a second, which no recorder writes")
        self.frame_format = _format_of(frame)
        # The resampler keeps the channels separate: swresample's own downmix of floats is 1.41 times too loud as well.
        # They are interleaved, because av crashes when it reads eight planes.
        self.resampler = AudioResampler(format="flt", layout=frame.layout, rate=SAMPLE_RATE, options=RESAMPLER_OPTIONS)
        self.position = round(seconds * SAMPLE_RATE)
        self.end = seconds

    def continues_with(self, frame: Any, seconds: float | None) -> bool:
        """Return whether the frame has the same format and follows without a gap."""
        has_no_gap = seconds is None or abs(seconds - self.end) <= MAX_JITTER_S
        return _format_of(frame) == self.frame_format and has_no_gap

    def resample(self, frame: Any) -> Iterator[tuple[int, Samples]]:
        """Yield (position, mono samples) that the resampler outputs for one more frame; for None, its remainder."""
        if frame is not None:
            self.end += frame.samples / frame.sample_rate
        for piece in self.resampler.resample(frame):
            channels = piece.to_ndarray().reshape(piece.samples, -1)
            samples = channels.mean(axis=1, dtype=np.float32)
            yield self.position, samples
            self.position += len(samples)


def _format_of(frame: Any) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
