"""Speed from file to features: our extraction, the loop of usual extraction scripts, and the machine's peak rate.

The network is I3D at full width. Its random weights preserve the scale of signals from layer to layer: otherwise
signals become denormal numbers, on which a CPU is many times slower.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import decord
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measure import measure_seconds, measure_seconds_and_result, print_result
from clip_ae.core.config.schema import I3dOptions
from clip_ae.core.config.streams import I3dEncoder
from clip_ae.core.config.training import Precision
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import NetworkWeights, VideoInfo
from clip_ae.encoders.batch_size import BatchedEncoder
from clip_ae.encoders.devices import configure_torch
from clip_ae.encoders.matrix_rates import measure_matrix_rate
from clip_ae.encoders.precision_check import measure_deviation
from clip_ae.encoders.streams import i3d
from clip_ae.media import video
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.mux import write_mp4
from clip_ae.media.probe import probe_video
from clip_ae.pipeline.extraction import FeatureExtractor
from tests.encoders import plain_i3d
from tests.encoders.random_networks import random_i3d

MATRIX_SIZES_AND_PASSES = ((1024, 2048, 4096), 5)
# GFLOP of one 16x224x224 window: two per multiply-add.
GFLOP = 54.0
# Precision, compiled, and two goals: speed-up over the usual loop, share of the matrix rate.
SETTINGS: tuple[tuple[Precision, bool, float | None, float | None], ...] = (
    ("fp32", False, None, None),
    ("bf16", False, 3.5, 0.55),
    ("bf16", True, None, None),
)
SIDE, CROP, FRAMES = 256, 224, 16
ROUNDS = 3
GRID = SnippetGrid()
Features = NDArray[np.float32]


def main(path: Path | None = None) -> None:
    configure_torch(2)
    with tempfile.TemporaryDirectory() as folder:
        path = path or write_film(Path(folder) / "film.mp4", seconds=40)
        info = VideoInfo(path.stem, path.name, **vars(probe_video(str(path), GRID)))
        print(f"{path.name}: {info.width}x{info.height}, {info.fps:.2f} fps, {info.duration:.0f} s, two threads")
        measure_decoding(path, info)
        measure_encoding(path, info)


def write_film(path: Path, seconds: int, seed: int = 0) -> Path:
    """Write a film: 480x360 at 25 frames per second, as usual in the datasets, with sound of changing loudness."""
    frames = generate_frames(seconds, (480, 360), seed)
    t = np.arange(16000 * seconds) / 16000
    sound = 0.3 * np.sin(2 * np.pi * 440 * t) * np.sin(t + seed)
    write_mp4(path, frames, (480, 360), Fraction(25), np.float32(sound)[None], sample_rate=16000)
    return path


def generate_frames(seconds: int, size: tuple[int, int], seed: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Frames with about the motion and texture of a film: a window that moves over blurred noise."""
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 256, (2 * height, 2 * width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    sheet = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    for t in np.arange(25 * seconds) / 25:
        y, x = int(height / 2 * (1 + 0.9 * np.sin(t))), int(width / 2 * (1 + 0.9 * np.cos(0.7 * t)))
        yield np.ascontiguousarray(sheet[y : y + height, x : x + width])


def measure_decoding(path: Path, info: VideoInfo) -> None:
    """Measure reading alone (child process, grid, shared buffer), and decord's own loop."""
    height, width = video.window_shape(info, GRID, SIDE)[1:3]
    with Decoder() as decoder:
        list(decoder.read_video_windows(path, info, GRID, SIDE))
        ratios, decord_rates = [], []
        for _ in range(5):
            our_seconds = measure_seconds(lambda: sum(1 for _ in decoder.read_video_windows(path, info, GRID, SIDE)))
            decord_seconds = measure_seconds(lambda: decode_with_decord(path, width, height))
            ratios.append(decord_seconds / our_seconds)
            decord_rates.append(info.frames / decord_seconds)
    print_result("decord alone (median of 5)", float(np.median(decord_rates)), "frames/s")
    print_result("reading, share of decord's own rate (median of 5)", float(np.median(ratios)), "", goal=0.9)


def decode_with_decord(path: Path, width: int, height: int) -> None:
    reader = decord.VideoReader(str(path), width=width, height=height, num_threads=2)
    for _ in range(len(reader)):
        reader.next().asnumpy()


def measure_encoding(path: Path, info: VideoInfo) -> None:
    network = random_i3d(I3dOptions())
    rate = measure_matrix_rate(torch.bfloat16, *MATRIX_SIZES_AND_PASSES)
    print_result("bf16 matrix product", rate, "GFLOP/s")
    print_result("fp32 matrix product", measure_matrix_rate(torch.float32, *MATRIX_SIZES_AND_PASSES), "GFLOP/s")
    measurements = [Measurement(path, info, network, *setting) for setting in SETTINGS]
    # The usual loop and each setting take turns, and medians are printed: the speed of a shared machine varies.
    usual_seconds = []
    for _ in range(ROUNDS):
        usual_seconds.append(run_usual_loop(path, info, network))
        for measurement in measurements:
            measurement.run()
    print_result("usual loop", 1000 * float(np.median(usual_seconds)), "ms a window")
    for measurement in measurements:
        measurement.print_result(usual_seconds, rate, measurements[0].features)


class Measurement:
    """Our extraction from file to features in one precision, with its measured times."""

    def __init__(
        self, path: Path, info: VideoInfo, network: NetworkWeights, precision: Precision, is_compiled: bool,
        speedup_goal: float | None, share_goal: float | None,
    ) -> None:  # fmt: skip
        self.path, self.info, self.speedup_goal, self.share_goal = path, info, speedup_goal, share_goal
        self.name = f"{precision}{', compiled' if is_compiled else ''}"
        self.encoder = i3d.build_stream(I3dEncoder(precision=precision, compile=is_compiled), [network], "cpu")
        self.encoder.encode(np.zeros((1, FRAMES, CROP, CROP, 3), np.uint8))
        self.seconds: list[float] = []
        self.idle_fractions: list[float] = []
        self.features: Features

    def run(self) -> None:
        encode = self.encoder.encode
        with Decoder() as decoder:
            # A decoder serves all videos of a job, so its start is not measured.
            list(decoder.read_video_windows(self.path, self.info, GRID, SIDE))
            extractor = FeatureExtractor(
                "rgb", GRID, self.encoder, BatchedEncoder(encode, 1, "cpu"), self.path.parent, [decoder]
            )
            seconds, (features,) = measure_seconds_and_result(lambda: list(extractor.extract([self.info])))
        self.seconds.append(seconds / self.info.snippets)
        self.idle_fractions.append(extractor.idle_fraction)
        self.features = features.feature.astype(np.float32)

    def print_result(self, usual_seconds: list[float], rate: float, exact_features: Features) -> None:
        seconds, ratio = np.median(self.seconds), np.median(np.divide(usual_seconds, self.seconds))
        print_result(f"{self.name}: file to features", 1000 * float(seconds), "ms a window")
        print_result(f"{self.name}: speed-up over the usual loop", float(ratio), "x", goal=self.speedup_goal)
        share = GFLOP / float(seconds) / rate
        print_result(f"{self.name}: share of the bf16 matrix rate", share, "", goal=self.share_goal)
        print_result(
            f"{self.name}: share of the time in which the network was idle", float(np.median(self.idle_fractions)), ""
        )
        cosine, difference = measure_deviation(self.features, exact_features)
        print(f"{self.name}: against fp32: cosine {cosine:.5f}, largest difference {difference:.2%}")


def run_usual_loop(path: Path, info: VideoInfo, network: NetworkWeights) -> float:
    """Seconds per window of the usual loop: decode 16 frames, then run the network; fp32, default memory layout."""
    weights = {name: torch.from_numpy(tensor) for name, tensor in network.tensors.items()}
    height, width = video.window_shape(info, GRID, SIDE)[1:3]
    top, left = (height - CROP) // 2, (width - CROP) // 2
    start = time.perf_counter()
    reader = decord.VideoReader(str(path), width=width, height=height, num_threads=2)
    windows = len(reader) // FRAMES
    with torch.inference_mode():
        for _ in range(windows):
            frames = np.stack([reader.next().asnumpy() for _ in range(FRAMES)])
            crop = frames[:, top : top + CROP, left : left + CROP]
            x = torch.from_numpy(crop.transpose(3, 0, 1, 2).astype(np.float32) / 255 * 2 - 1)
            plain_i3d.features(x[None].contiguous(), weights)
    return (time.perf_counter() - start) / windows


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
