"""How CAF and CCP should enter the head: cross-entropy of held-out videos' clusters. No annotation and no test video.

python -m benchmarks.fusion                     every variant on the simulated worlds 0 and 1: an hour on one core
python -m benchmarks.fusion --worlds 2 3 4      other worlds, to confirm a choice
python -m benchmarks.fusion NAME ...            some variants

The training videos of a world are clustered as in round 0, and the localizer is trained on three of four. Each line:
cross-entropy of the clusters of the fourth (chance: 3.00), its mean over the worlds, then each world.
"""

import argparse
import functools
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.methods import read_project_config
from clip_ae.clustering import mean_pool, spectral
from clip_ae.clustering.pooling import pool_descriptors
from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.methods import LocalizerConfig, Run, Switches, with_defaults
from clip_ae.core.config.simulation import SimulatedWorld
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.config.training import Training
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import FeaturesByStream, Label, format_cluster_label
from clip_ae.encoders.devices import configure_torch
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.trainer import Trainer, create_learner, train_localizer
from clip_ae.worlds import simulated, simulated_events

UNSCALED = {"scaled_to_ccp": False}
VARIANTS: Mapping[str, dict[str, Any]] = {
    "ugct": {"method": "ugct"},
    "caf": {"method": "clip_ae", "caf": {}},
    "ccp": {"method": "clip_ae", "ccp": {}},
    "both, as they are": {"method": "clip_ae", "caf": UNSCALED, "ccp": {}},
    "both, gated": {"method": "clip_ae", "caf": {**UNSCALED, "gate": "correspondence"}, "ccp": {}},
    "both, scaled": {"method": "clip_ae", "caf": {}, "ccp": {}},
    "both, scaled and gated": {"method": "clip_ae", "caf": {"gate": "correspondence"}, "ccp": {}},
}
HELD_OUT_SHARE = 0.25


@dataclass(frozen=True)
class World:
    """Features of the training videos, their clusters, and which of them are held out."""

    streams: FeaturesByStream
    clusters: Mapping[str, int]
    held_out: frozenset[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--worlds", nargs="+", type=int, default=[0, 1])
    arguments = parser.parse_args()
    configure_torch(1)
    for name in arguments.names or VARIANTS:
        losses = [measure(build_world(seed), VARIANTS[name], seed) for seed in arguments.worlds]
        print(f"{name:24} {statistics.fmean(losses):6.3f}   ", *(f"{loss:6.3f}" for loss in losses), flush=True)


@functools.cache
def build_world(seed: int) -> World:
    world, grid = SimulatedWorld(seed=seed), SnippetGrid()
    videos = [v for v in simulated_events.plan_videos(world) if v.subset == "training"]
    streams = {
        name: {v.video_id: simulated.generate_features(world, name, v, grid) for v in videos}
        for name in simulated.FEATURE_STATISTICS
    }
    descriptors = pool_descriptors(*mean_pool.prepare_pooling({name: streams[name] for name in ("rgb", "flow")}))
    clusters = spectral.cluster(descriptors, world.classes, seed=0)
    ids = sorted(streams["rgb"])
    held_out = np.random.default_rng(seed).permutation(ids)[: round(HELD_OUT_SHARE * len(ids))]
    return World(streams, dict(zip(ids, clusters.tolist(), strict=True)), frozenset(held_out.tolist()))


def measure(world: World, variant: Mapping[str, Any], seed: int) -> float:
    """Train on the clusters of the other videos; the mean over the streams of the held-out videos' cross-entropy."""
    run = parse_dataclass(Run, dict(variant))
    roles = StreamRoles(("rgb", "flow"), "clip" if run.ccp else None, "audio" if run.caf else None)
    ids = {i for i in world.clusters if i not in world.held_out}
    settings = parse_dataclass(Training, read_project_config()["datasets"]["simulated"]["training"])
    config = build_config(run, roles, world, settings, len(ids))
    labels = [Label(i, world.clusters[i], format_cluster_label(world.clusters[i])) for i in ids]
    table = FeatureTable(select_videos(world, roles, ids), "cpu")
    targets = TargetBuilder(labels, table.video_ids, config.num_classes)
    trainer = Trainer(create_learner(config, settings.steps, seed), table, targets, settings, run.losses, seed, "cpu")
    train_localizer(trainer)
    held_out = FeatureTable(select_videos(world, roles, set(world.held_out)), "cpu")
    return compute_cross_entropy(trainer.learner.final_localizer.eval(), held_out, world.clusters)


def build_config(run: Run, roles: StreamRoles, world: World, settings: Training, num_videos: int) -> LocalizerConfig:
    switches = with_defaults(run)
    return LocalizerConfig(
        **{f.name: switches[f.name] for f in fields(Switches) if f.name in switches},
        method=run.method,
        roles=roles,
        dims={name: next(iter(world.streams[name].values())).feature.shape[1] for name in roles.names},
        labels=tuple(format_cluster_label(k) for k in range(1 + max(world.clusters.values()))),
        width=settings.width,
        dropout=settings.dropout,
        num_videos=num_videos,
    )


def select_videos(world: World, roles: StreamRoles, ids: set[str]) -> FeaturesByStream:
    return {name: {i: v for i, v in world.streams[name].items() if i in ids} for name in roles.names}


@torch.inference_mode()
def compute_cross_entropy(localizer: nn.Module, table: FeatureTable, clusters: Mapping[str, int]) -> float:
    losses = []
    for video_id in table.video_ids:
        target = torch.tensor([clusters[video_id]])
        for output in localizer(table.full_video_batch(video_id)).streams.values():
            losses.append(float(nn.functional.cross_entropy(output.foreground_logits, target)))
    return statistics.fmean(losses)


if __name__ == "__main__":
    main()
