"""Statistics of the simulated benchmark before any training: `python -m benchmarks.calibrate`.

Compares the round-0 clusters with the classes, and measures the features. No localizer runs.
"""

import time
from dataclasses import dataclass, fields

import numpy as np

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


@dataclass(frozen=True)
class Statistics:
    """Statistics of a stream: means over covered snippets, over pairs of neighbours and over videos."""

    zeros: float
    norm: float
    neighbours: float
    videos: float
    within: float


def main() -> None:
    start = time.perf_counter()
    worlds = [SimulatedWorld(seed=seed) for seed in SEEDS]
    rows = [measure(world) for world in worlds]
    print(f"{'round 0':10}" + "".join(f"{f.name:>12}" for f in fields(ClusterQuality)))
    for streams in DESCRIPTORS:
        print_row("+".join(streams), [row[0][streams] for row in rows])
    print(f"\n{'stream':10}" + "".join(f"{f.name:>12}" for f in fields(Statistics)))
    for name in STREAMS:
        print_row(name, [row[1][name] for row in rows])
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
    return measure_quality(spectral.cluster(z, world.classes, seed=0).tolist(), classes)


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


def print_row(name: str, rows: list[ClusterQuality] | list[Statistics]) -> None:
    table = np.array([[getattr(row, f.name) for f in fields(row)] for row in rows])
    cells = (f"{m:.3g} ({s:.2g})" for m, s in zip(table.mean(axis=0), table.std(axis=0), strict=True))
    print(f"{name:10}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
