"""Tiny videos in which the truth is known, and short trainings on them."""

import numpy as np

from clip_ae.core.config.methods import CafSwitches, CcpSwitches, LocalizerConfig, SelfSupervision, UgctSwitches
from clip_ae.core.config.training import Training
from clip_ae.core.types import Label, VideoFeatures, format_cluster_label
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.trainer import Trainer, create_learner, train_localizer

DIMS = {"rgb": 8, "flow": 8, "clip": 6, "audio": 4}
CLASSES, ROWS, ACTION = 3, 16, slice(5, 12)
SETTINGS = Training(snippets=20, batch_size=4, steps=60, learning_rate=1e-2, log_every=20, width=8, dropout=0.2)
UGCT = {"ugct": UgctSwitches()}
CLIP_AE = {**UGCT, "fusion_input": "centred", "self_supervision": SelfSupervision()}
BOTH = {**CLIP_AE, "caf": CafSwitches(), "ccp": CcpSwitches()}


def planted(videos=9, dims=DIMS, seed=0):
    """Video n acts as class n mod 3 within ACTION; all share a background. The last video has no sound."""
    rng = np.random.default_rng(seed)
    streams = {}
    for name, dim in dims.items():
        prototypes = 2 * np.eye(dim)
        streams[name] = {}
        for n in range(videos):
            x = prototypes[-1] + 0.1 * rng.normal(size=(ROWS, dim))
            x[ACTION] += prototypes[n % CLASSES] - prototypes[-1]
            silent = name == "audio" and n == videos - 1
            coverage = np.full(ROWS, 0.0 if silent else 1.0, np.float32)
            t = np.arange(ROWS) * 0.64
            video = VideoFeatures(f"v{n}", t, t + 0.64, coverage, (x * coverage[:, None]).astype(np.float16))
            streams[name][f"v{n}"] = video
    return streams


def labels_of(streams):
    return [Label(i, int(i[1:]) % CLASSES, format_cluster_label(int(i[1:]) % CLASSES)) for i in streams["rgb"]]


def blueprint(method="ugct", *, dims=None, width=8, dropout=0.0, **switches):
    dims = dims or {n: DIMS[n] for n in needed(switches)}
    names = tuple(format_cluster_label(k) for k in range(CLASSES))
    return LocalizerConfig(
        method=method, dims=dims, labels=names, width=width, dropout=dropout, num_videos=9, **switches
    )


def needed(switches):
    more = [name for name, module in (("clip", "ccp"), ("audio", "caf")) if switches.get(module)]
    return ["rgb", "flow", *more]


def trainer(streams, method="ugct", *, labels=None, settings=SETTINGS, seed=0, losses=None, **switches):
    streams = {name: streams[name] for name in needed(switches)}
    plan = blueprint(method, width=settings.width, dropout=settings.dropout, **switches)
    library = FeatureTable(streams, "cpu")
    truths = TargetBuilder(labels or labels_of(streams), library.video_ids, CLASSES)
    learner = create_learner(plan, settings.steps, seed, settings.precision)
    return Trainer(learner, library, truths, settings, losses or {}, seed, "cpu")


def trained(streams, method="ugct", **more):
    """The trainer at its end, and its log."""
    made = trainer(streams, method, **more)
    return made, train_localizer(made)
