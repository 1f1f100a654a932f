"""From file to features: our line beside the loop that extraction scripts run, and beside what the machine can do.

The network is I3D at full width with random weights, drawn so that signals keep their size from layer to layer: with
others they fade to denormal numbers, on which a CPU is many times slower than on any that a trained network has.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import cv2
import decord
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measure import tell
from clip_ae.core.config.schema import I3dOptions, RgbEncoder
from clip_ae.core.config.training import Precision
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import NetworkWeights, VideoInfo
from clip_ae.encoders.batch_size import BatchedEncoder
from clip_ae.encoders.devices import configure_torch
from clip_ae.encoders.precision_check import measure_deviation
from clip_ae.encoders.streams import rgb
from clip_ae.media import video
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.mux import write_mp4
from clip_ae.media.probe import probe_video
from clip_ae.pipeline.extraction import FeatureExtractor
from tests.encoders import plain_i3d
from tests.encoders.random_networks import random_i3d

# Multiply-adds of one 16x224x224 window, counted twice.
GFLOP = 54.0
# Precision, compiled, goals: times the peers' rate, share of the matrix rate.
LINES: tuple[tuple[Precision, bool, float | None, float | None], ...] = (
    ("fp32", False, None, None),
    ("bf16", False, 3.5, 0.55),
    ("bf16", True, None, None),
)
SIDE, CROP, FRAMES = 256, 224, 16
ROUNDS = 3
GRID = SnippetGrid()
T = TypeVar("T")
Features = NDArray[np.float32]


def main(path: Path | None = None) -> None:
    configure_torch(2)
    with tempfile.TemporaryDirectory() as folder:
        path = path or drawn(Path(folder) / "film.mp4", seconds=40)
        info = VideoInfo(path.stem, path.name, **vars(probe_video(str(path), GRID)))
        print(f"{path.name}: {info.width}x{info.height}, {info.fps:.2f} fps, {info.duration:.0f} s, two threads")
        decoding(path, info)
        encoding(path, info)


def drawn(path: Path, seconds: int, seed: int = 0) -> Path:
    """480x360 at 25 frames a second, as small as videos of the field are, with sound that rises and falls."""
    frames = scenery(seconds, (480, 360), seed)
    t = np.arange(16000 * seconds) / 16000
    sound = 0.3 * np.sin(2 * np.pi * 440 * t) * np.sin(t + seed)
    write_mp4(path, frames, (480, 360), Fraction(25), np.float32(sound)[None], sample_rate=16000)
    return path


def scenery(seconds: int, size: tuple[int, int], seed: int = 0) -> Iterator[NDArray[np.uint8]]:
    """As much motion and texture as a film has: a window wandering over blurred noise."""
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 256, (2 * height, 2 * width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    sheet = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    for t in np.arange(25 * seconds) / 25:
        y, x = int(height / 2 * (1 + 0.9 * np.sin(t))), int(width / 2 * (1 + 0.9 * np.cos(0.7 * t)))
        yield np.ascontiguousarray(sheet[y : y + height, x : x + width])


def decoding(path: Path, info: VideoInfo) -> None:
    """The reading side alone: the child, the grid, the ring; beside decord's own loop."""
    height, width = video.window_shape(info, GRID, SIDE, 0)[1:3]
    with Decoder() as decoder:
        list(decoder.read_video_windows(path, info, GRID, SIDE))
        ratios = []
        for _ in range(5):
            ours = timed(lambda: sum(1 for _ in decoder.read_video_windows(path, info, GRID, SIDE)))
            bare = timed(lambda: bare_decord(path, width, height))
            ratios.append(bare / ours)
    tell("decord by itself", info.frames / bare, "frames/s")
    tell("the reading side, share of decord's own rate (median of 5)", float(np.median(ratios)), "", 0.9)


def bare_decord(path: Path, width: int, height: int) -> None:
    reader = decord.VideoReader(str(path), width=width, height=height, num_threads=2)
    for _ in range(len(reader)):
        reader.next().asnumpy()


def encoding(path: Path, info: VideoInfo) -> None:
    network = random_i3d(I3dOptions())
    rate = matrix_rate(torch.bfloat16)
    tell("bf16 matrix product", rate, "GFLOP/s")
    tell("fp32 matrix product", matrix_rate(torch.float32), "GFLOP/s")
    lines = [Line(path, info, network, *line) for line in LINES]
    # In turn, and medians: a machine that others use as well is now faster, now slower.
    peers = []
    for _ in range(ROUNDS):
        peers.append(peers_loop(path, info, network))
        for line in lines:
            line.run()
    tell("the peers' loop", 1000 * float(np.median(peers)), "ms a window")
    for line in lines:
        line.tell(peers, rate, lines[0].found)


class Line:
    """Our own line from file to features, in one precision."""

    def __init__(
        self, path: Path, info: VideoInfo, network: NetworkWeights, precision: Precision, compiled: bool,
        goal: float | None, share: float | None,
    ) -> None:  # fmt: skip
        self.path, self.info, self.goal, self.share = path, info, goal, share
        self.name = f"{precision}{', compiled' if compiled else ''}"
        self.encoder = rgb.build(RgbEncoder(precision=precision, compile=compiled), [network], "cpu")
        self.encoder.encode(np.zeros((1, FRAMES, CROP, CROP, 3), np.uint8))
        self.seconds: list[float] = []
        self.waited: list[float] = []
        self.found: Features

    def run(self) -> None:
        encode = self.encoder.encode
        with Decoder() as decoder:
            # A decoder serves all videos of a job; its start is not theirs.
            list(decoder.read_video_windows(self.path, self.info, GRID, SIDE))
            work = FeatureExtractor(
                "rgb", GRID, self.encoder, BatchedEncoder(encode, 1, "cpu"), self.path.parent, [decoder]
            )
            seconds, (found,) = timed_of(lambda: list(work.extract([self.info])))
        self.seconds.append(seconds / self.info.snippets)
        self.waited.append(work.idle_fraction)
        self.found = found.feature.astype(np.float32)

    def tell(self, peers: list[float], rate: float, exact: Features) -> None:
        seconds, ratio = np.median(self.seconds), np.median(np.divide(peers, self.seconds))
        tell(f"{self.name}: file to features", 1000 * float(seconds), "ms a window")
        tell(f"{self.name}: times the rate of the peers' loop", float(ratio), "x", self.goal)
        tell(f"{self.name}: share of the bf16 matrix rate", GFLOP / float(seconds) / rate, "", self.share)
        tell(f"{self.name}: share of the time that the network waited", float(np.median(self.waited)), "")
        cosine, difference = measure_deviation(self.found, exact)
        print(f"{self.name}: against fp32: cosine {cosine:.5f}, largest difference {difference:.2%}")


def peers_loop(path: Path, info: VideoInfo, network: NetworkWeights) -> float:
    """Seconds a window: sixteen frames decoded, then a forward pass, in turn; fp32, default memory layout."""
    weights = {name: torch.from_numpy(tensor) for name, tensor in network.tensors.items()}
    height, width = video.window_shape(info, GRID, SIDE, 0)[1:3]
    top, left = (height - CROP) // 2, (width - CROP) // 2
    began = time.perf_counter()
    reader = decord.VideoReader(str(path), width=width, height=height, num_threads=2)
    windows = len(reader) // FRAMES
    with torch.inference_mode():
        for _ in range(windows):
            frames = np.stack([reader.next().asnumpy() for _ in range(FRAMES)])
            crop = frames[:, top : top + CROP, left : left + CROP]
            x = torch.from_numpy(crop.transpose(3, 0, 1, 2).astype(np.float32) / 255 * 2 - 1)
            plain_i3d.features(x[None].contiguous(), weights)
    return (time.perf_counter() - began) / windows


def matrix_rate(dtype: torch.dtype) -> float:
    """GFLOP/s of the best of some square products."""
    best = 0.0
    for n in (1024, 2048, 4096):
        a, b = torch.randn(n, n).to(dtype), torch.randn(n, n).to(dtype)
        torch.mm(a, b)
        seconds = min(timed(lambda a=a, b=b: torch.mm(a, b)) for _ in range(5))
        best = max(best, 2 * n**3 / seconds / 1e9)
    return best


def timed(act: Callable[[], object]) -> float:
    return timed_of(act)[0]


def timed_of(act: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = act()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
