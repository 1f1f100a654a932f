"""Frames and a wave into an mp4: H.264 and AAC, the same bytes every time."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from clip_ae.core.files import atomic_write

# Times of frames that do not come at a constant rate are rounded to this.
TIME_BASE = Fraction(1, 90000)
# With several threads x264's bytes depend on their race, and with B-frames its look-ahead differs from run to run.
X264_OPTIONS = {"preset": "veryfast", "crf": "20", "threads": "1", "bf": "0"}
# Samples in a frame of AAC.
AAC_FRAME_SAMPLES = 1024


def write_mp4(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    size: tuple[int, int],
    rate_or_times: Fraction | Sequence[float],
    waveform: NDArray[np.float32],
    *,
    sample_rate: int,
) -> None:
    """Write RGB frames of a size (width, height) at a frame rate or at their own times (seconds).

    The wave is [channels, samples] in [-1, 1]; without channels the file has no audio track. An odd size is kept
    by not subsampling colour (4:4:4).
    """
    with atomic_write(path) as temporary, av.open(temporary, "w", options={"fflags": "+bitexact"}) as container:
        video = _video_stream(container, size, rate_or_times)
        audio = _audio_stream(container, len(waveform), sample_rate) if len(waveform) else None
        sound = _audio_packets(audio, waveform, sample_rate)
        for tick, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.time_base = video.codec_context.time_base
            frame.pts = tick if isinstance(rate_or_times, Fraction) else round(rate_or_times[tick] / TIME_BASE)
            container.mux(video.encode(frame))
            _catch_up(container, sound, float(frame.pts * frame.time_base))
        container.mux(video.encode())
        _catch_up(container, sound, float("inf"))


def _video_stream(container: Any, size: tuple[int, int], times: Fraction | Sequence[float]) -> Any:
    constant = isinstance(times, Fraction)
    stream = container.add_stream("libx264", rate=times if constant else None, options=X264_OPTIONS)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
    stream.codec_context.time_base = 1 / times if isinstance(times, Fraction) else TIME_BASE
    stream.codec_context.thread_count = 1
    return stream


def _audio_stream(container: Any, channels: int, rate: int) -> Any:
    return container.add_stream("aac", rate=rate, layout={1: "mono", 2: "stereo"}[channels])


def _audio_packets(stream: Any, wave: NDArray[np.float32], rate: int) -> Iterator[tuple[float, Any]]:
    """Packets of the wave, each with the time at which its block begins."""
    if stream is None:
        return
    for start in range(0, wave.shape[1], AAC_FRAME_SAMPLES):
        block = np.ascontiguousarray(wave[:, start : start + AAC_FRAME_SAMPLES])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=stream.layout.name)
        frame.rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield start / rate, stream.encode(frame)
    yield wave.shape[1] / rate, stream.encode()


def _catch_up(container: Any, sound: Iterator[tuple[float, Any]], time: float) -> None:
    """Write sound up to a time, so that it lies beside its frames in the file."""
    for start, packets in sound:
        container.mux(packets)
        if start >= time:
            return
