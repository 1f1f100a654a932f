"""Write RGB frames and a waveform to an mp4 file (H.264 and AAC), with the same bytes each time."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from clip_ae.core.files import atomic_write

# Times of frames without a constant rate are rounded to this.
TIME_BASE = Fraction(1, 90000)
# With several threads the bytes of x264 depend on thread timing. Its look-ahead, also that for B-frames, reads memory
# that it has not written: one encoding in a few hundred then has other bytes.
X264_OPTIONS = {"preset": "veryfast", "crf": "20", "threads": "1", "bf": "0", "rc-lookahead": "0", "mbtree": "0"}
# Samples in an AAC frame.
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

    The waveform is [channels, samples] in [-1, 1]; without channels the file has no audio track. An odd width or
    height is possible because colour is then not subsampled (4:4:4).
    """
    with atomic_write(path) as temporary, av.open(temporary, "w", options={"fflags": "+bitexact"}) as container:
        video = _add_video_stream(container, size, rate_or_times)
        audio = _add_audio_stream(container, len(waveform), sample_rate) if len(waveform) else None
        audio_packets = _encode_audio(audio, waveform, sample_rate)
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.time_base = video.codec_context.time_base
            frame.pts = index if isinstance(rate_or_times, Fraction) else round(rate_or_times[index] / TIME_BASE)
            container.mux(video.encode(frame))
            _write_audio_until(container, audio_packets, float(frame.pts * frame.time_base))
        container.mux(video.encode())
        _write_audio_until(container, audio_packets, float("inf"))


def _add_video_stream(container: Any, size: tuple[int, int], rate_or_times: Fraction | Sequence[float]) -> Any:
    rate = rate_or_times if isinstance(rate_or_times, Fraction) else None
    stream = container.add_stream("libx264", rate=rate, options=X264_OPTIONS)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
    stream.codec_context.time_base = TIME_BASE if rate is None else 1 / rate
    stream.codec_context.thread_count = 1
    return stream


def _add_audio_stream(container: Any, num_channels: int, sample_rate: int) -> Any:
    return container.add_stream("aac", rate=sample_rate, layout={1: "mono", 2: "stereo"}[num_channels])


def _encode_audio(stream: Any, waveform: NDArray[np.float32], sample_rate: int) -> Iterator[tuple[float, Any]]:
    """Yield (start of the block in seconds, packets)."""
    if stream is None:
        return
    for start in range(0, waveform.shape[1], AAC_FRAME_SAMPLES):
        block = np.ascontiguousarray(waveform[:, start : start + AAC_FRAME_SAMPLES])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=stream.layout.name)
        frame.rate, frame.pts, frame.time_base = sample_rate, start, Fraction(1, sample_rate)
        yield start / sample_rate, stream.encode(frame)
    yield waveform.shape[1] / sample_rate, stream.encode()


def _write_audio_until(container: Any, audio_packets: Iterator[tuple[float, Any]], seconds: float) -> None:
    """Write audio up to a time, so that in the file it is next to the frames of the same time."""
    for start, packets in audio_packets:
        container.mux(packets)
        if start >= seconds:
            return
