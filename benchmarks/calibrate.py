"""Statistics of the simulated benchmark before any training. No localizer runs.

python -m benchmarks.calibrate           round-0 clusters against classes, and statistics of the features
python -m benchmarks.calibrate DIR       in addition, the autocorrelation of real features: DIR/*.npy, [snippets, D]

The autocorrelation is that of features less their video's mean; with the mean, any two features of a video are alike.
The world's videos are cut to the lengths of the real ones: less its mean, a short video has less of the slow change.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip_ae.clustering import mean_pool, spectral
from clip_ae.clustering.pooling import pool_descriptors
from clip_ae.clustering.quality import ClusterQuality, measure_quality
from clip_ae.core.config.simulation import SimulatedWorld
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Annotation, FeaturesByStream, VideoFeatures
from clip_ae.scoring.eval_input import find_main_class
from clip_ae.worlds.simulated import FEATURE_STATISTICS, generate_features
from clip_ae.worlds.simulated_events import build_instances, plan_videos

SEEDS = range(5)
STREAMS = tuple(FEATURE_STATISTICS)
DESCRIPTORS = (("rgb", "flow"), *((name,) for name in STREAMS))
LAGS = (1, 2, 3, 4, 5)
# Snippets of the three real videos that the world's noise was set by (docs/simulation.md).
REAL_LENGTHS = (28, 22, 55)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Statistics of a stream: means over covered snippets, over pairs of neighbours and over videos."""

    zeros: float
    norm: float
    neighbours: float
    videos: float
    within: float


def main(folders: Sequence[str]) -> None:
    start = time.perf_counter()
    worlds = [SimulatedWorld(seed=seed) for seed in SEEDS]
    rows = [measure(world) for world in worlds]
    print(f"{'round 0':10}" + "".join(f"{f.name:>12}" for f in fields(ClusterQuality)))
    for streams in DESCRIPTORS:
        print_row("+".join(streams), [row[0][streams] for row in rows])
    print(f"\n{'stream':10}" + "".join(f"{f.name:>12}" for f in fields(Statistics)))
    for name in STREAMS:
        print_row(name, [row[1][name] for row in rows])
    print(f"\n{'lag':10}" + "".join(f"{lag:>12}" for lag in LAGS))
    for name in STREAMS:
        print_autocorrelation(name, cut_videos(worlds[0], name))
    for folder in folders:
        print_autocorrelation("real", [np.load(path) for path in sorted(Path(folder).glob("*.npy"))])
    print(f"\nmean and (sd) over worlds of seeds {min(SEEDS)} to {max(SEEDS)}; {time.perf_counter() - start:.0f} s")


def measure(world: SimulatedWorld) -> tuple[dict[tuple[str, ...], ClusterQuality], dict[str, Statistics]]:
    videos = [video for video in plan_videos(world) if video.subset == "training"]
    streams = {
        name: {video.video_id: generate_features(world, name, video, SnippetGrid()) for video in videos}
        for name in STREAMS
    }
    classes = [find_main_class(Annotation(video.subset, build_instances(world, video))) for video in videos]
    qualities = {names: measure_clusters({n: streams[n] for n in names}, world, classes) for names in DESCRIPTORS}
    return qualities, {name: compute_statistics(list(streams[name].values())) for name in STREAMS}


def measure_clusters(streams: FeaturesByStream, world: SimulatedWorld, classes: list[str]) -> ClusterQuality:
    z = pool_descriptors(*mean_pool.prepare_pooling(streams))
    return measure_quality(spectral.prepare(z, 0)(world.classes).tolist(), classes)


def compute_statistics(videos: list[VideoFeatures]) -> Statistics:
    covered = [v.feature[v.coverage > 0].astype(np.float64) for v in videos if (v.coverage > 0).any()]
    rows = np.concatenate(covered)
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in covered]
    means = np.stack([x.mean(axis=0) for x in covered])
    within_sum = sum(float(np.square(x - m).sum()) for x, m in zip(covered, means, strict=True)) / len(rows)
    directions = np.stack([m / np.linalg.norm(m) for m in means])
    return Statistics(
        zeros=float((rows == 0).mean()),
        norm=float(np.linalg.norm(rows, axis=1).mean()),
        neighbours=float(np.concatenate([(u[1:] * u[:-1]).sum(axis=1) for u in units]).mean()),
        videos=float((directions @ directions.T)[np.triu_indices(len(means), 1)].mean()),
        within=within_sum / (within_sum + float(means.var(axis=0).sum())),
    )


def cut_videos(world: SimulatedWorld, stream: str) -> list[Floats]:
    """The features of the training videos, cut to REAL_LENGTHS in turn; shorter ones are left out."""
    videos = [video for video in plan_videos(world) if video.subset == "training"]
    found = [generate_features(world, stream, video, SnippetGrid()) for video in videos]
    pairs = [(v.feature, REAL_LENGTHS[n % len(REAL_LENGTHS)]) for n, v in enumerate(found) if (v.coverage > 0).any()]
    return [feature[:length].astype(np.float64) for feature, length in pairs if len(feature) >= length]


def compute_autocorrelation(videos: Sequence[Floats], lag: int) -> float:
    """Of features [T, D] less their video's mean; each video counts alike for its variance."""
    centred = [x - x.mean(axis=0) for x in videos]
    covariance = sum(float((x[lag:] * x[:-lag]).sum()) / (len(x) - lag) for x in centred)
    return covariance / sum(float(np.square(x).sum()) / len(x) for x in centred)


def print_autocorrelation(name: str, videos: Sequence[Floats]) -> None:
    print(f"{name:10}" + "".join(f"{compute_autocorrelation(videos, lag):12.3f}" for lag in LAGS), flush=True)


def print_row(name: str, rows: list[ClusterQuality] | list[Statistics]) -> None:
    table = np.array([[getattr(row, f.name) for f in fields(row)] for row in rows])
    cells = (f"{m:.3g} ({s:.2g})" for m, s in zip(table.mean(axis=0), table.std(axis=0), strict=True))
    print(f"{name:10}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
