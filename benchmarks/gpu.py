"""What a GPU gives: matrix rate, I3D, flow, file to features, and how far its features are from the CPU's.

python -m benchmarks.gpu [VIDEO...]      prints one table; without videos it draws some
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.features import GFLOP, GRID, drawn
from benchmarks.measure import tell
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import FLOW_ALGORITHMS, NETWORKS, STREAMS, load_module
from clip_ae.core.config.schema import (
    AudioEncoder,
    ClipEncoder,
    ClipOptions,
    FlowEncoder,
    I3dOptions,
    RgbEncoder,
    StreamEncoder,
    VggishOptions,
)
from clip_ae.core.errors import UserError
from clip_ae.core.types import NetworkWeights, VideoInfo
from clip_ae.encoders.batch_size import BatchedEncoder
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.precision_check import measure_deviation
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.probe import probe_video
from clip_ae.pipeline.extraction import FeatureExtractor
from tests.encoders.random_networks import stirred

VIDEOS, SECONDS = 16, 120
DECODERS = 14
# Numbers an inner iteration of TV-L1 moves a pixel: flow read and written, dual variables likewise, its data term.
MOVED = 4 + 8 + 5
HEIGHT, WIDTH, PAIRS = 256, 340, 16
BATCHES = (8, 16, 32, 64)
KINDS = {
    "rgb": ("i3d", I3dOptions(), RgbEncoder()),
    "flow": ("i3d", I3dOptions(channels=2), FlowEncoder(algorithm="tvl1_torch")),
    "clip": ("clip", ClipOptions(), ClipEncoder()),
    "audio": ("vggish", VggishOptions(), AudioEncoder()),
}


def main(paths: Sequence[Path]) -> None:
    device = resolve_device("cuda")
    configure_torch(2)
    print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}")
    rate = matrix_rate(device)
    tell("bf16 matrix product", rate, "TFLOP/s")
    bandwidth = memory_rate(device)
    tell("memory, read and write", bandwidth, "GB/s")
    network_alone(device, rate)
    flow_alone(device, bandwidth)
    with tempfile.TemporaryDirectory() as folder:
        videos = list(paths) or [drawn(Path(folder) / f"film{i}.mp4", SECONDS, seed=i) for i in range(VIDEOS)]
        infos = [VideoInfo(p.stem, str(p.resolve()), **vars(probe_video(str(p), GRID))) for p in videos]
        for stream in KINDS:
            file_to_features(stream, infos, device)


def network_alone(device: str, rate: float) -> None:
    """I3D-RGB on batches that lie on the GPU already."""
    for precision, compiled in (("bf16", False), ("bf16", True), ("fp32", False)):
        settings = replace(RgbEncoder(), precision=precision, compile=compiled)
        encoder = made("rgb", device, settings)
        for size in BATCHES:
            frames = torch.randint(0, 256, (size, 16, 224, 224, 3), dtype=torch.uint8, device=device)
            seconds = on_gpu(device, lambda e=encoder, f=frames: e.forward(f)) / size
            name = f"I3D-RGB {precision}{', compiled' if compiled else ''}, batch {size}"
            tell(name, 1 / seconds, "windows/s")
            tell(f"{name}: share of the bf16 matrix rate", GFLOP / 1000 / seconds / rate, "", 0.4)


def flow_alone(device: str, bandwidth: float) -> None:
    """TV-L1 on frames of a drawn film that lie on the GPU already."""
    flow = load_module(FLOW_ALGORITHMS["tvl1_torch"]).build(device)
    for snippets in (1, 4, 16):
        frames = moving(snippets).to(device)
        seconds = on_gpu(device, lambda f=frames: flow(f)) / (snippets * PAIRS)
        tell(f"tvl1_torch, {snippets * PAIRS} pairs at once", 1 / seconds, "pairs/s", 300)
        floor = MOVED * 4 * HEIGHT * WIDTH
        print(f"    one inner iteration moves at least {floor / 1e6:.1f} MB a pair; "
              f"at {bandwidth:.0f} GB/s that is {floor / bandwidth / 1e3:.1f} us")  # fmt: skip


def moving(snippets: int) -> torch.Tensor:
    """Blurred noise that drifts: uint8 [snippets, PAIRS + 1, H, W, 3]."""
    noise = torch.rand(1, 1, HEIGHT + 80, WIDTH + 80)
    smooth = torch.nn.functional.avg_pool2d(noise, 9, 1, 4)[0, 0]
    smooth = ((smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255).to(torch.uint8)
    frames = [smooth[2 * j : 2 * j + HEIGHT, j : j + WIDTH] for j in range(PAIRS + 1)]
    return torch.stack(frames)[None, ..., None].expand(snippets, -1, -1, -1, 3).contiguous()


def file_to_features(stream: str, infos: Sequence[VideoInfo], device: str) -> None:
    """The whole line on the GPU, the start of its decoders (two seconds) included; its features beside the CPU's."""
    settings = replace(KINDS[stream][2], precision="bf16") if stream != "audio" else KINDS[stream][2]
    encoder = made(stream, device, settings)
    network = BatchedEncoder(encoder.encode, 0, device)
    # The batch is chosen and libraries warm up on the first video, which does not count.
    list(FeatureExtractor(stream, GRID, encoder, network, Path(), [Decoder()]).extract(infos[:1]))
    work = FeatureExtractor(stream, GRID, encoder, network, Path(), [Decoder() for _ in range(DECODERS)])
    began = time.perf_counter()
    found = {video.video_id: video for video in work.extract(infos)}
    seconds = time.perf_counter() - began
    snippets = sum(info.snippets for info in infos)
    tell(f"{stream}, file to features", snippets / seconds, "snippets/s")
    tell(f"{stream}: share of the time that the network waited", work.idle_fraction, "", 0.1)
    short = replace(infos[0], snippets=4)
    slow = made(stream, "cpu", KINDS[stream][2])
    line = FeatureExtractor(stream, GRID, slow, BatchedEncoder(slow.encode, 1, "cpu"), Path(), [Decoder()])
    (exact,) = line.extract([short])
    fast = found[short.video_id].feature[:4].astype(np.float32)
    cosine, difference = measure_deviation(fast, exact.feature.astype(np.float32))
    print(f"{stream}: GPU against the CPU's fp32: cosine {cosine:.5f}, largest difference {difference:.2%}")


def made(stream: str, device: str, settings: StreamEncoder) -> Any:
    kind, options, _ = KINDS[stream]
    torch.manual_seed(0)
    network = NetworkWeights(
        {kind: to_plain_data(options)}, get_tensors(stirred(load_module(NETWORKS[kind]).build(options)))
    )
    return load_module(STREAMS[stream]).build(settings, [network], device)


def matrix_rate(device: str) -> float:
    """TFLOP/s of a large bf16 product."""
    n = 8192
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * n**3 / on_gpu(device, lambda: a @ b) / 1e12


def memory_rate(device: str) -> float:
    """GB/s of a copy, reading and writing counted."""
    a = torch.empty(1 << 30, dtype=torch.uint8, device=device)
    b = torch.empty_like(a)
    return 2 * a.numel() / on_gpu(device, lambda: b.copy_(a)) / 1e9


@torch.inference_mode()
def on_gpu(device: str, act: Callable[[], object], runs: int = 10) -> float:
    """Seconds of one call, after some that warm up."""
    for _ in range(3):
        act()
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    for _ in range(runs):
        act()
    torch.cuda.synchronize(device)
    return (time.perf_counter() - began) / runs


if __name__ == "__main__":
    try:
        main([Path(name) for name in sys.argv[1:]])
    except UserError as error:
        sys.exit(str(error))
