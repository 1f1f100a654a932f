"""One training step at the paper's size (T = 750, 16 videos, d = 1024): seconds, memory, share of the data loading.

python -m benchmarks.step [METHOD...]     on a GPU if there is one, fp32 and bf16
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.measure import KIB, print_result
from clip_ae.core.config.methods import CafSwitches, CcpSwitches, LocalizerConfig, Run, with_defaults
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.config.training import Training
from clip_ae.core.types import Label, VideoFeatures, format_cluster_label
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.trainer import Trainer, create_learner

DIMS = {"rgb": 1024, "flow": 1024, "clip": 512, "audio": 128}
CLASSES, THREADS = 20, 2
# THUMOS14 has 200 training videos of 3.6 minutes on average. The time of a step does not depend on their number.
VIDEOS, SNIPPETS = 32, 750
SETTINGS = Training(steps=1000, log_every=1000)


def main(methods: list[str]) -> None:
    configure_torch(THREADS)
    device = resolve_device("auto")
    is_gpu = device.startswith("cuda")
    print(f"{torch.cuda.get_device_name(device) if is_gpu else f'CPU, {THREADS} threads'}, torch {torch.__version__}")
    for method in methods or ["stpn", "ugct", "clip_ae"]:
        for precision in ("fp32", "bf16") if is_gpu else ("fp32",):
            measure(method, precision, device, steps=20 if is_gpu else 2)


def measure(method: str, precision: str, device: str, steps: int) -> None:
    modules: dict[str, Any] = {"caf": CafSwitches(), "ccp": CcpSwitches()} if method == "clip_ae" else {}
    run = Run(method=method, **modules)
    roles = StreamRoles(("rgb", "flow"), "clip" if run.ccp else None, "audio" if run.caf else None)
    feature_table = FeatureTable(dict(generate_features(roles.names)), device)
    labels = [Label(i, k % CLASSES, format_cluster_label(k % CLASSES)) for k, i in enumerate(feature_table.video_ids)]
    names = tuple(format_cluster_label(k) for k in range(CLASSES))
    dims = {name: DIMS[name] for name in roles.names}
    config = LocalizerConfig(
        method=method, roles=roles, dims=dims, labels=names, num_videos=VIDEOS, **with_defaults(run)
    )
    learner = create_learner(config, SETTINGS.steps, 0, precision)
    settings = replace(SETTINGS, precision=precision)
    trainer = Trainer(
        learner, feature_table, TargetBuilder(labels, feature_table.video_ids, CLASSES), settings, {}, 0, device
    )
    step_seconds = list(measure_seconds(trainer.step, 1 + steps))[1:]
    draw_seconds = statistics.median(measure_seconds(trainer._draw_batch, 5))
    print_result(f"{method}, {precision}: a step", statistics.median(step_seconds), "s")
    print_result("   drawing its batch", 100 * draw_seconds / statistics.median(step_seconds), "% of it")
    print_result("   peak memory", measure_peak_gb(device), "GB")
    print_result("   parameters", sum(p.numel() for p in learner.localizer.parameters()) / 1e6, "million")


def generate_features(streams: tuple[str, ...]) -> Iterator[tuple[str, dict[str, VideoFeatures]]]:
    rng, times = np.random.default_rng(0), np.arange(SNIPPETS) * 0.64
    for name in streams:
        rows = (rng.random((SNIPPETS, DIMS[name]), np.float32).astype(np.float16) for _ in range(VIDEOS))
        coverage = np.ones(SNIPPETS, np.float32)
        yield name, {f"v{k}": VideoFeatures(f"v{k}", times, times + 0.64, coverage, x) for k, x in enumerate(rows)}


def measure_seconds(function: Callable[[], Any], count: int) -> Iterator[float]:
    for _ in range(count):
        start = time.perf_counter()
        function()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        yield time.perf_counter() - start


def measure_peak_gb(device: str) -> float:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / 1e9


if __name__ == "__main__":
    main(sys.argv[1:])
