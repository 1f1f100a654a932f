"""Tiny videos with known actions, and short trainings on them."""

import numpy as np

from clip_ae.core.config.methods import (
    CafSwitches,
    CcpSwitches,
    LocalizerConfig,
    SelfSupervision,
    TscnSwitches,
    UgctSwitches,
)
from clip_ae.core.config.training import Training
from clip_ae.core.types import Label, VideoFeatures, format_cluster_label
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.trainer import Trainer, create_learner, train_localizer
from tests.builders import roles_of

DIMS = {"rgb": 8, "flow": 8, "clip": 6, "audio": 4}
CLASSES, ROWS, ACTION = 3, 16, slice(5, 12)
SETTINGS = Training(snippets=20, batch_size=4, steps=60, learning_rate=1e-2, log_every=20, width=8, dropout=0.2)
UGCT = {"ugct": UgctSwitches()}
CLIP_AE = {**UGCT, "fusion_input": "centred", "self_supervision": SelfSupervision()}
BOTH = {**CLIP_AE, "caf": CafSwitches(), "ccp": CcpSwitches()}


def planted(videos=9, dims=DIMS, seed=0):
    """Video n shows class n mod 3 within ACTION; all videos share a background. The last one has no audio."""
    rng = np.random.default_rng(seed)
    streams = {}
    for name, dim in dims.items():
        prototypes = 2 * np.eye(dim)
        streams[name] = {}
        for n in range(videos):
            x = prototypes[-1] + 0.1 * rng.normal(size=(ROWS, dim))
            x[ACTION] += prototypes[n % CLASSES] - prototypes[-1]
            is_silent = name == "audio" and n == videos - 1
            coverage = np.full(ROWS, 0.0 if is_silent else 1.0, np.float32)
            times = np.arange(ROWS) * 0.64
            feature = (x * coverage[:, None]).astype(np.float16)
            streams[name][f"v{n}"] = VideoFeatures(f"v{n}", times, times + 0.64, coverage, feature)
    return streams


def labels_of(streams):
    return [Label(i, int(i[1:]) % CLASSES, format_cluster_label(int(i[1:]) % CLASSES)) for i in streams["rgb"]]


def localizer_config(method="ugct", *, dims=None, width=8, dropout=0.0, **switches):
    dims = dims or {n: DIMS[n] for n in streams_of(switches)}
    names = tuple(format_cluster_label(k) for k in range(CLASSES))
    switches = {"tscn": TscnSwitches() if method == "tscn" else None, **switches}
    return LocalizerConfig(
        method=method,
        roles=roles_of(dims),
        dims=dims,
        labels=names,
        width=width,
        dropout=dropout,
        num_videos=9,
        **switches,
    )


def streams_of(switches):
    """The streams that a localizer with these switches reads."""
    extra = [name for name, module in (("clip", "ccp"), ("audio", "caf")) if switches.get(module)]
    return ["rgb", "flow", *extra]


def create_trainer(streams, method="ugct", *, labels=None, settings=SETTINGS, seed=0, losses=None, **switches):
    streams = {name: streams[name] for name in streams_of(switches)}
    config = localizer_config(method, width=settings.width, dropout=settings.dropout, **switches)
    table = FeatureTable(streams, "cpu")
    targets = TargetBuilder(labels or labels_of(streams), table.video_ids, CLASSES)
    learner = create_learner(config, settings.steps, seed, settings.precision)
    return Trainer(learner, table, targets, settings, losses or {}, seed, "cpu")


def train(streams, method="ugct", **options):
    """The trainer after the last step, and its log lines."""
    trainer = create_trainer(streams, method, **options)
    return trainer, train_localizer(trainer)
