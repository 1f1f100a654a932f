"""Speed of a GPU: matrix products, I3D, flow, file to features; and the deviation of its features from the CPU's.

python -m benchmarks.gpu [VIDEO...]      prints one table; without videos it generates some
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

from benchmarks.features import GFLOP, GRID, write_film
from benchmarks.measure import print_result
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import ENCODERS, FLOW_ALGORITHMS, NETWORKS, load_module
from clip_ae.core.config.schema import ClipOptions, I3dOptions, VggishOptions
from clip_ae.core.config.streams import ClipEncoder, I3dEncoder, I3dFlowEncoder, StreamEncoder, VggishEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.types import NetworkWeights, VideoInfo
from clip_ae.encoders.batch_size import BatchedEncoder
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.precision_check import measure_deviation
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.probe import probe_video
from clip_ae.pipeline.extraction import FeatureExtractor
from tests.encoders.random_networks import randomize_weights

VIDEOS, SECONDS = 16, 120
DECODERS = 14
# Numbers per pixel that an inner iteration of TV-L1 moves: flow (read, write), dual variables (read, write), data term.
NUMBERS_PER_PIXEL = 4 + 8 + 5
HEIGHT, WIDTH, PAIRS = 256, 340, 16
BATCHES = (8, 16, 32, 64)
KINDS = {
    "rgb": ("i3d", I3dOptions(), I3dEncoder()),
    "flow": ("i3d", I3dOptions(channels=2), I3dFlowEncoder(algorithm="tvl1_torch")),
    "clip": ("clip", ClipOptions(), ClipEncoder()),
    "audio": ("vggish", VggishOptions(), VggishEncoder()),
}


def main(paths: Sequence[Path]) -> None:
    device = resolve_device("cuda")
    configure_torch(2)
    print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}")
    matrix_rate = measure_matrix_rate(device)
    print_result("bf16 matrix product", matrix_rate, "TFLOP/s")
    bandwidth = measure_memory_rate(device)
    print_result("memory, read and write", bandwidth, "GB/s")
    measure_network(device, matrix_rate)
    measure_flow(device, bandwidth)
    with tempfile.TemporaryDirectory() as folder:
        videos = list(paths) or [write_film(Path(folder) / f"film{i}.mp4", SECONDS, seed=i) for i in range(VIDEOS)]
        infos = [VideoInfo(p.stem, str(p.resolve()), **vars(probe_video(str(p), GRID))) for p in videos]
        for stream in KINDS:
            measure_extraction(stream, infos, device)


def measure_network(device: str, matrix_rate: float) -> None:
    """Measure I3D-RGB on batches that are already on the GPU."""
    for precision, is_compiled in (("bf16", False), ("bf16", True), ("fp32", False)):
        settings = replace(I3dEncoder(), precision=precision, compile=is_compiled)
        encoder = build_stream("rgb", device, settings)
        for batch_size in BATCHES:
            frames = torch.randint(0, 256, (batch_size, 16, 224, 224, 3), dtype=torch.uint8, device=device)
            seconds = measure_seconds(device, lambda e=encoder, f=frames: e.forward(f)) / batch_size
            name = f"I3D-RGB {precision}{', compiled' if is_compiled else ''}, batch {batch_size}"
            print_result(name, 1 / seconds, "windows/s")
            print_result(f"{name}: share of the bf16 matrix rate", GFLOP / 1000 / seconds / matrix_rate, "", goal=0.4)


def measure_flow(device: str, bandwidth: float) -> None:
    """Measure TV-L1 on generated frames that are already on the GPU."""
    flow = load_module(FLOW_ALGORITHMS["tvl1_torch"]).build(device)
    for snippets in (1, 4, 16):
        frames = generate_moving_frames(snippets).to(device)
        seconds = measure_seconds(device, lambda f=frames: flow(f)) / (snippets * PAIRS)
        print_result(f"tvl1_torch, {snippets * PAIRS} pairs at once", 1 / seconds, "pairs/s", goal=300)
        num_bytes = NUMBERS_PER_PIXEL * 4 * HEIGHT * WIDTH
        print(f"    one inner iteration moves at least {num_bytes / 1e6:.1f} MB a pair; "
              f"at {bandwidth:.0f} GB/s that is {num_bytes / bandwidth / 1e3:.1f} us")  # fmt: skip


def generate_moving_frames(snippets: int) -> torch.Tensor:
    """Moving blurred noise: uint8 [snippets, PAIRS + 1, H, W, 3]."""
    noise = torch.rand(1, 1, HEIGHT + 80, WIDTH + 80)
    smooth = torch.nn.functional.avg_pool2d(noise, 9, 1, 4)[0, 0]
    smooth = ((smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255).to(torch.uint8)
    frames = [smooth[2 * j : 2 * j + HEIGHT, j : j + WIDTH] for j in range(PAIRS + 1)]
    return torch.stack(frames)[None, ..., None].expand(snippets, -1, -1, -1, 3).contiguous()


def measure_extraction(stream: str, infos: Sequence[VideoInfo], device: str) -> None:
    """Measure file to features on the GPU, with the start of the decoders (two seconds); compare with the CPU."""
    settings = replace(KINDS[stream][2], precision="bf16") if stream != "audio" else KINDS[stream][2]
    encoder = build_stream(stream, device, settings)
    network = BatchedEncoder(encoder.encode, 0, device)
    # The first video is not measured: the batch size is chosen and libraries warm up.
    list(FeatureExtractor(stream, GRID, encoder, network, Path(), [Decoder()]).extract(infos[:1]))
    extractor = FeatureExtractor(stream, GRID, encoder, network, Path(), [Decoder() for _ in range(DECODERS)])
    start = time.perf_counter()
    features_by_video = {video.video_id: video for video in extractor.extract(infos)}
    seconds = time.perf_counter() - start
    snippets = sum(info.snippets for info in infos)
    print_result(f"{stream}, file to features", snippets / seconds, "snippets/s")
    print_result(f"{stream}: share of the time in which the network was idle", extractor.idle_fraction, "", goal=0.1)
    short = replace(infos[0], snippets=4)
    cpu_stream = build_stream(stream, "cpu", KINDS[stream][2])
    cpu_extractor = FeatureExtractor(
        stream, GRID, cpu_stream, BatchedEncoder(cpu_stream.encode, 1, "cpu"), Path(), [Decoder()]
    )
    (exact_features,) = cpu_extractor.extract([short])
    gpu_rows = features_by_video[short.video_id].feature[:4].astype(np.float32)
    cosine, difference = measure_deviation(gpu_rows, exact_features.feature.astype(np.float32))
    print(f"{stream}: GPU against the CPU's fp32: cosine {cosine:.5f}, largest difference {difference:.2%}")


def build_stream(stream: str, device: str, settings: StreamEncoder) -> Any:
    kind, options, _ = KINDS[stream]
    torch.manual_seed(0)
    network = NetworkWeights(
        {kind: to_plain_data(options)}, get_tensors(randomize_weights(load_module(NETWORKS[kind]).build(options)))
    )
    return load_module(ENCODERS[settings.encoder]).build_stream(settings, [network], device)


def measure_matrix_rate(device: str) -> float:
    """TFLOP/s of a large bf16 matrix product."""
    n = 8192
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * n**3 / measure_seconds(device, lambda: a @ b) / 1e12


def measure_memory_rate(device: str) -> float:
    """GB/s of a copy, counting reads and writes."""
    a = torch.empty(1 << 30, dtype=torch.uint8, device=device)
    b = torch.empty_like(a)
    return 2 * a.numel() / measure_seconds(device, lambda: b.copy_(a)) / 1e9


@torch.inference_mode()
def measure_seconds(device: str, run: Callable[[], object], runs: int = 10) -> float:
    """Mean seconds of one call, after three calls to warm up."""
    for _ in range(3):
        run()
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    for _ in range(runs):
        run()
    torch.cuda.synchronize(device)
    return (time.perf_counter() - start) / runs


if __name__ == "__main__":
    try:
        main([Path(name) for name in sys.argv[1:]])
    except UserError as error:
        sys.exit(str(error))
