"""Speed of CLIP, VGGish and reading timestamps.

`clip-ae plan` uses these rates, and those of I3D and flow, for its estimates.

python -m benchmarks.rates    random weights, which are as fast as published ones
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.measure import measure_seconds, print_result
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import ClipOptions, VggishOptions
from clip_ae.core.config.streams import ClipEncoder, VggishEncoder
from clip_ae.core.config.training import Precision
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Encoder, NetworkWeights
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.networks import clip, vggish
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.streams import clip as clip_stream
from clip_ae.encoders.streams import vggish as audio_stream
from clip_ae.media.probe import probe_video
from tests.media_files import write_video

THREADS, REPEATS = 2, 5
VIDEO_SECONDS = 120


def main() -> None:
    configure_torch(THREADS)
    device = resolve_device("auto")
    options = ClipOptions()
    clip_weights = NetworkWeights({"clip": to_plain_data(options)}, get_tensors(clip.build(options)))
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        encoder = ClipEncoder(precision=precision)
        frames = np.zeros((encoder.frames, 224, 298, 3), np.uint8)
        seconds = measure_snippet(clip_stream.build_stream(encoder, [clip_weights], device), frames, encoder.batch_size)
        print_result(f"CLIP ViT-B/16, {precision}: a frame", seconds / encoder.frames, "s")
    vggish_weights = NetworkWeights(
        {"vggish": to_plain_data(VggishOptions())}, get_tensors(vggish.build(VggishOptions()))
    )
    sound, audio = np.zeros(15_600, np.float32), VggishEncoder()
    seconds = measure_snippet(audio_stream.build_stream(audio, [vggish_weights], device), sound, audio.batch_size)
    print_result("VGGish, fp32: a snippet", seconds, "s")
    print_result("probe: an hour of video with sound", measure_probe(), "s")


def measure_snippet(encoder: Encoder, window: np.ndarray, batch: int) -> float:
    """Seconds to prepare and encode a snippet, from the fastest of several batches."""
    prepare = measure_fastest(lambda: encoder.prepare(window))
    stacked = np.stack([encoder.prepare(window)] * batch)
    return prepare + measure_fastest(lambda: encoder.encode(stacked)) / batch


def measure_probe() -> float:
    with TemporaryDirectory() as folder:
        path = write_video(Path(folder, "video.mp4"), frames=25 * VIDEO_SECONDS, size=(480, 360), tone=[440, 440])
        return measure_fastest(lambda: probe_video(str(path), SnippetGrid())) * 3600 / VIDEO_SECONDS


def measure_fastest(run: Callable[[], object]) -> float:
    return min(measure_seconds(run) for _ in range(REPEATS))


if __name__ == "__main__":
    main()
