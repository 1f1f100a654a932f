"""What CLIP, VGGish and reading timestamps take here: beside I3D and flow, what `clip-ae plan` counts by.

python -m benchmarks.rates    random weights, which are as fast as published ones
"""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.measure import tell
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import AudioEncoder, ClipEncoder, ClipOptions, VggishOptions
from clip_ae.core.config.training import Precision
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Encoder, NetworkWeights
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.networks import clip, vggish
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.streams import audio as audio_stream
from clip_ae.encoders.streams import clip as clip_stream
from clip_ae.media.probe import probe_video
from tests.media_files import write_video

THREADS, RUNS = 2, 5
SECONDS = 120


def main() -> None:
    configure_torch(THREADS)
    device = resolve_device("auto")
    options = ClipOptions()
    network = NetworkWeights({"clip": to_plain_data(options)}, get_tensors(clip.build(options)))
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        encoder = ClipEncoder(precision=precision)
        frames = np.zeros((16, 256, 340, 3), np.uint8)
        seconds = a_snippet(clip_stream.build(encoder, [network], device), frames, encoder.batch_size)
        tell(f"CLIP ViT-B/16, {precision}: a frame", seconds / encoder.frames, "s")
    ears = NetworkWeights({"vggish": to_plain_data(VggishOptions())}, get_tensors(vggish.build(VggishOptions())))
    sound = np.zeros(15_600, np.float32)
    tell("VGGish, fp32: a snippet", a_snippet(audio_stream.build(AudioEncoder(), [ears], device), sound, 32), "s")
    tell("probe: an hour of video with sound", timestamps(), "s")


def a_snippet(encoder: Encoder, window: np.ndarray, batch: int) -> float:
    """Prepared and encoded, the fastest of several batches."""
    prepare = fastest(lambda: encoder.prepare(window))
    stacked = np.stack([encoder.prepare(window)] * batch)
    return prepare + fastest(lambda: encoder.encode(stacked)) / batch


def timestamps() -> float:
    with TemporaryDirectory() as folder:
        path = write_video(Path(folder, "video.mp4"), frames=25 * SECONDS, size=(480, 360), tone=[440, 440])
        return fastest(lambda: probe_video(str(path), SnippetGrid())) * 3600 / SECONDS


def fastest(act: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
