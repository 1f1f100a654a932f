"""Optical flow: milliseconds a pair at 340x256, and how far each flow and its I3D features are from OpenCV's TV-L1.

The features are those of `results/weights/flow_imagenet.safetensors` where that is there, else of random weights.
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

from benchmarks.measure import ROOT, tell
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import FLOW_ALGORITHMS, load_module
from clip_ae.core.config.schema import FlowAlgorithm, FlowEncoder, I3dOptions, RaftOptions
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import NetworkWeights, VideoInfo
from clip_ae.encoders.networks import raft
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.streams import flow as stream
from clip_ae.media import video
from clip_ae.media.probe import probe_video
from clip_ae.weights.network_file import read_weights
from tests.encoders.random_networks import random_i3d, stirred

MEDIA = ROOT.parent / "shared/media"
TRAINED = ROOT / "results/weights/flow_imagenet.safetensors"
ALGORITHMS: tuple[FlowAlgorithm, ...] = ("tvl1", "tvl1_torch", "dis")
GRID = SnippetGrid()
WIDTH, HEIGHT = 340, 256
PAIRS = 12
# Snippets a video whose features are compared.
SNIPPETS = 4
# A GPU is given the pairs this often at once.
COPIES = 16


def main() -> None:
    torch.set_num_threads(1)
    raft_rate(generated(PAIRS))
    compare("generated", generated(PAIRS))
    videos = sorted(MEDIA.glob("*.mp4"))
    if videos:
        compare("real", torch.cat([real(path, PAIRS // len(videos)) for path in videos]))
        compare_features(videos)


@torch.inference_mode()
def raft_rate(pairs: Tensor) -> None:
    """How fast, which random weights tell as well; how good would need the published ones."""
    options = RaftOptions()
    network = NetworkWeights({"raft": to_plain_data(options)}, get_tensors(stirred(raft.build(options))))
    seconds, _ = timed("raft", pairs, network)
    tell("raft, random weights, generated frames", 1000 * seconds, "ms a pair")


def compare(name: str, pairs: Tensor) -> None:
    truth = load_module(FLOW_ALGORITHMS["tvl1"]).build("cpu")(pairs)
    for algorithm in ALGORITHMS:
        seconds, found = timed(algorithm, pairs)
        tell(f"{algorithm}, {name} frames", 1000 * seconds, "ms a pair")
        tell("   its mean endpoint difference to tvl1", float((found - truth).norm(dim=-1).mean()), "px")
    if torch.cuda.is_available():
        many = pairs.cuda().repeat(COPIES, 1, 1, 1, 1)
        timed("tvl1_torch", many)
        tell(f"tvl1_torch, {name} frames, GPU", 1000 * timed("tvl1_torch", many)[0], "ms a pair", 1)


def compare_features(videos: list[Path]) -> None:
    """Cosines of what is left when the mean feature is taken away; with it they would all be near 1."""
    network = read_weights(TRAINED) if TRAINED.exists() else random_i3d(I3dOptions(channels=2))
    truth = features("tvl1", network, videos)
    for algorithm in ALGORITHMS[1:]:
        a, b = (rows - truth.mean(axis=0) for rows in (features(algorithm, network, videos), truth))
        cosines = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
        tell(f"{algorithm}: cosine of I3D features to those of tvl1, mean", float(cosines.mean()), "")
        tell("   lowest of a snippet", float(cosines.min()), "")


def features(algorithm: FlowAlgorithm, network: NetworkWeights, videos: list[Path]) -> NDArray[np.float32]:
    """Rows [len(videos) * SNIPPETS, 1024] of the flow stream."""
    encoder = stream.build(FlowEncoder(algorithm=algorithm), [network], "cpu")
    windows = (window for path in videos for window in snippets(path, encoder))
    return np.concatenate([encoder.encode(encoder.prepare(window)[None]) for window in windows])


def snippets(path: Path, encoder: stream.FlowStream) -> Iterator[NDArray[np.uint8]]:
    info = VideoInfo(path.stem, path.name, **vars(probe_video(str(path), GRID)))
    info = replace(info, snippets=min(SNIPPETS, info.snippets))
    for window in video.read_video_windows(str(path), info, GRID, encoder.short_side, encoder.lookahead):
        yield window.data


def timed(algorithm: str, pairs: Tensor, *networks: NetworkWeights) -> tuple[float, Tensor]:
    """Seconds a pair, and the flows."""
    flow = load_module(FLOW_ALGORITHMS[algorithm]).build(pairs.device.type, *networks)
    start = time.perf_counter()
    # On the host again: a GPU has then done its work.
    found = flow(pairs).cpu()
    return (time.perf_counter() - start) / len(pairs), found


def generated(count: int) -> Tensor:
    """Pairs [count, 2, H, W, 3] of a texture that turns, grows and shifts a little."""
    rng = np.random.default_rng(0)
    return torch.stack([_moved(rng) for _ in range(count)])


def _moved(rng: np.random.Generator) -> Tensor:
    rough = cv2.GaussianBlur(rng.normal(size=(HEIGHT, WIDTH, 3)), (0, 0), 2)
    first = np.uint8(255 * (rough - rough.min()) / np.ptp(rough))
    motion = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), rng.uniform(-2, 2), rng.uniform(0.98, 1.02))
    motion[:, 2] += rng.uniform(-3, 3, 2)
    second = cv2.warpAffine(first, motion, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return torch.from_numpy(np.stack([first, second]))


def real(path: Path, count: int) -> Tensor:
    """Pairs [count, 2, H, W, 3] from all over a video."""
    frames = VideoReader(str(path), width=WIDTH, height=HEIGHT)
    starts = np.linspace(0.05, 0.95, count) * (len(frames) - 1)
    numbers = np.stack([starts, starts + 1], axis=1).astype(int)
    return torch.from_numpy(frames.get_batch(numbers.ravel()).asnumpy().reshape(count, 2, HEIGHT, WIDTH, 3))


if __name__ == "__main__":
    main()
