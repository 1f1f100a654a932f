"""Optical flow: milliseconds per pair at 340x256, and how far flow and I3D features are from those of OpenCV's TV-L1.

The features use `results/weights/flow_imagenet.safetensors` if it exists, else random weights.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from decord import VideoReader
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.measure import ROOT, print_result
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import FLOW_ALGORITHMS, load_module
from clip_ae.core.config.schema import I3dOptions, RaftOptions
from clip_ae.core.config.streams import FlowAlgorithm, I3dFlowEncoder
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import NetworkWeights, VideoInfo
from clip_ae.encoders.networks import raft
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.streams import i3d_flow as flow_stream
from clip_ae.media import video
from clip_ae.media.probe import probe_video
from clip_ae.weights.network_file import read_weights
from tests.encoders.random_networks import random_i3d, randomize_weights

MEDIA = ROOT.parent / "shared/media"
WEIGHTS_PATH = ROOT / "results/weights/flow_imagenet.safetensors"
ALGORITHMS: tuple[FlowAlgorithm, ...] = ("tvl1", "tvl1_torch", "dis")
GRID = SnippetGrid()
WIDTH, HEIGHT = 340, 256
PAIRS = 12
# Snippets per video whose features are compared.
SNIPPETS = 4
# A GPU gets all pairs this many times in one call.
COPIES = 16


def main() -> None:
    torch.set_num_threads(1)
    measure_raft(generate_pairs(PAIRS))
    compare_flows("generated", generate_pairs(PAIRS))
    videos = sorted(MEDIA.glob("*.mp4"))
    if videos:
        compare_flows("real", torch.cat([load_real_pairs(path, PAIRS // len(videos)) for path in videos]))
        compare_features(videos)


@torch.inference_mode()
def measure_raft(pairs: Tensor) -> None:
    """Measure the speed of RAFT with random weights; its accuracy can only be measured with published weights."""
    options = RaftOptions()
    network = NetworkWeights({"raft": to_plain_data(options)}, get_tensors(randomize_weights(raft.build(options))))
    seconds, _ = measure_flow("raft", pairs, network)
    print_result("raft, random weights, generated frames", 1000 * seconds, "ms a pair")


def compare_flows(name: str, pairs: Tensor) -> None:
    reference_seconds, reference = measure_flow("tvl1", pairs)
    print_result(f"tvl1, {name} frames", 1000 * reference_seconds, "ms a pair")
    for algorithm in ALGORITHMS[1:]:
        seconds, flow = measure_flow(algorithm, pairs)
        print_result(f"{algorithm}, {name} frames", 1000 * seconds, "ms a pair")
        print_result("   its mean endpoint difference to tvl1", float((flow - reference).norm(dim=-1).mean()), "px")
    if torch.cuda.is_available():
        copies = pairs.cuda().repeat(COPIES, 1, 1, 1, 1)
        measure_flow("tvl1_torch", copies)
        print_result(f"tvl1_torch, {name} frames, GPU", 1000 * measure_flow("tvl1_torch", copies)[0], "ms a pair", 1)


def compare_features(videos: list[Path]) -> None:
    """Cosine of features after the mean feature of tvl1 is subtracted; without this, all cosines would be near 1."""
    network = read_weights(WEIGHTS_PATH) if WEIGHTS_PATH.exists() else random_i3d(I3dOptions(channels=2))
    reference = extract_features("tvl1", network, videos)
    for algorithm in ALGORITHMS[1:]:
        a, b = (rows - reference.mean(axis=0) for rows in (extract_features(algorithm, network, videos), reference))
        cosines = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
        print_result(f"{algorithm}: cosine of I3D features to those of tvl1, mean", float(cosines.mean()), "")
        print_result("   lowest of a snippet", float(cosines.min()), "")


def extract_features(algorithm: FlowAlgorithm, network: NetworkWeights, videos: list[Path]) -> NDArray[np.float32]:
    """Features [len(videos) * SNIPPETS, 1024] of the flow stream."""
    encoder = flow_stream.build_stream(I3dFlowEncoder(algorithm=algorithm), [network], "cpu")
    windows = (window for path in videos for window in read_windows(path, encoder))
    return np.concatenate([encoder.encode(encoder.prepare(window)[None]) for window in windows])


def read_windows(path: Path, encoder: flow_stream.I3dFlowStream) -> Iterator[NDArray[np.uint8]]:
    info = VideoInfo(path.stem, path.name, **vars(probe_video(str(path), GRID)))
    info = replace(info, snippets=min(SNIPPETS, info.snippets))
    for window in video.read_video_windows(str(path), info, GRID, encoder.frame_size, encoder.sampling):
        yield window.data


def measure_flow(algorithm: str, pairs: Tensor, *networks: NetworkWeights) -> tuple[float, Tensor]:
    """(seconds per pair, the flows)."""
    compute_flow = load_module(FLOW_ALGORITHMS[algorithm]).build(pairs.device.type, *networks)
    start = time.perf_counter()
    # Copying to the host waits until a GPU has finished.
    pair_flows = compute_flow(pairs).cpu()
    return (time.perf_counter() - start) / len(pairs), pair_flows


def generate_pairs(count: int) -> Tensor:
    """Pairs [count, 2, H, W, 3] of a texture with a small rotation, scaling and shift."""
    rng = np.random.default_rng(0)
    return torch.stack([_generate_pair(rng) for _ in range(count)])


def _generate_pair(rng: np.random.Generator) -> Tensor:
    blurred = cv2.GaussianBlur(rng.normal(size=(HEIGHT, WIDTH, 3)), (0, 0), 2)
    first = np.uint8(255 * (blurred - blurred.min()) / np.ptp(blurred))
    motion = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), rng.uniform(-2, 2), rng.uniform(0.98, 1.02))
    motion[:, 2] += rng.uniform(-3, 3, 2)
    second = cv2.warpAffine(first, motion, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return torch.from_numpy(np.stack([first, second]))


def load_real_pairs(path: Path, count: int) -> Tensor:
    """Pairs [count, 2, H, W, 3] of consecutive frames, evenly spaced over a video."""
    frames = VideoReader(str(path), width=WIDTH, height=HEIGHT)
    starts = np.linspace(0.05, 0.95, count) * (len(frames) - 1)
    indices = np.stack([starts, starts + 1], axis=1).astype(int)
    return torch.from_numpy(frames.get_batch(indices.ravel()).asnumpy().reshape(count, 2, HEIGHT, WIDTH, 3))


if __name__ == "__main__":
    main()
