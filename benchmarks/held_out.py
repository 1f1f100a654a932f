"""Held-out cross-entropy of clusters: a criterion for choices that reads no annotation and no test video.

The training videos of a simulated world are clustered as in round 0, and a localizer is trained on three quarters of
them. The criterion is the cross-entropy of the clusters of the other videos, mean over the streams. By chance it is
log(number of clusters).
"""

import functools
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.methods import SIMULATED_DATASET, read_project_config
from clip_ae.clustering import mean_pool, spectral
from clip_ae.clustering.pooling import pool_descriptors
from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.methods import LocalizerConfig, Run, Switches, with_defaults
from clip_ae.core.config.simulation import SimulatedWorld
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.config.training import Training
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import FeaturesByStream, Label, format_cluster_label
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.input_scaling import compute_input_scaling
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.trainer import Trainer, create_learner, train_localizer
from clip_ae.worlds import simulated, simulated_events

HELD_OUT_SHARE = 0.25
# Changes a trainer before its first step: for variants that are no switch of a run.
Adjustment = Callable[[Trainer], None]


@dataclass(frozen=True)
class World:
    """Features of the training videos, their clusters, and which of them are held out."""

    streams: FeaturesByStream
    clusters: Mapping[str, int]
    held_out: frozenset[str]


@functools.cache
def build_world(seed: int, dataset: str = SIMULATED_DATASET) -> World:
    settings = {**read_project_config()["datasets"][dataset]["simulate"], "seed": seed}
    world, grid = parse_dataclass(SimulatedWorld, settings), SnippetGrid()
    videos = [v for v in simulated_events.plan_videos(world) if v.subset == "training"]
    streams = {
        name: {v.video_id: simulated.generate_features(world, name, v, grid) for v in videos}
        for name in simulated.FEATURE_STATISTICS
    }
    descriptors = pool_descriptors(*mean_pool.prepare_pooling({name: streams[name] for name in ("rgb", "flow")}))
    clusters = spectral.prepare(descriptors, 0)(world.classes)
    ids = sorted(streams["rgb"])
    held_out = np.random.default_rng(seed).permutation(ids)[: round(HELD_OUT_SHARE * len(ids))]
    return World(streams, dict(zip(ids, clusters.tolist(), strict=True)), frozenset(held_out.tolist()))


def read_training(dataset: str = SIMULATED_DATASET, **changes: Any) -> Training:
    """The `training` of a simulated dataset with some values replaced."""
    data = read_project_config()["datasets"][dataset]["training"]
    return parse_dataclass(Training, {**data, **changes})


def measure(
    world: World, variant: Mapping[str, Any], settings: Training, seed: int, adjust: Adjustment | None = None
) -> float:
    """Train on the clusters of the other videos; the mean over the streams of the held-out videos' cross-entropy."""
    run = parse_dataclass(Run, dict(variant))
    roles = StreamRoles(("rgb", "flow"), "clip" if run.ccp else None, "audio" if run.caf else None)
    ids = {i for i in world.clusters if i not in world.held_out}
    streams = select_videos(world, roles, ids)
    config = build_config(run, roles, streams, settings, 1 + max(world.clusters.values()))
    labels = [Label(i, world.clusters[i], format_cluster_label(world.clusters[i])) for i in ids]
    table = FeatureTable(streams, "cpu")
    targets = TargetBuilder(labels, table.video_ids, config.num_classes)
    trainer = Trainer(create_learner(config, settings.steps, seed), table, targets, settings, run.losses, seed, "cpu")
    if adjust:
        adjust(trainer)
    train_localizer(trainer)
    held_out = FeatureTable(select_videos(world, roles, set(world.held_out)), "cpu")
    return compute_cross_entropy(trainer.learner.final_localizer.eval(), held_out, world.clusters)


def build_config(
    run: Run, roles: StreamRoles, streams: FeaturesByStream, settings: Training, num_clusters: int
) -> LocalizerConfig:
    switches = with_defaults(run)
    return LocalizerConfig(
        **{f.name: switches[f.name] for f in fields(Switches) if f.name in switches},
        method=run.method,
        roles=roles,
        dims={name: next(iter(videos.values())).feature.shape[1] for name, videos in streams.items()},
        **compute_input_scaling(streams, settings.inputs),
        labels=tuple(format_cluster_label(k) for k in range(num_clusters)),
        width=settings.width,
        dropout=settings.dropout,
        num_videos=len(next(iter(streams.values()))),
    )


def select_videos(world: World, roles: StreamRoles, ids: set[str]) -> FeaturesByStream:
    return {name: {i: v for i, v in world.streams[name].items() if i in ids} for name in roles.names}


@torch.inference_mode()
def compute_cross_entropy(localizer: nn.Module, table: FeatureTable, clusters: Mapping[str, int]) -> float:
    losses = []
    for video_id in table.video_ids:
        target = torch.tensor([clusters[video_id]])
        for output in localizer(next(table.full_video_batches(video_id))).streams.values():
            losses.append(float(nn.functional.cross_entropy(output.foreground_logits, target)))
    return statistics.fmean(losses)
