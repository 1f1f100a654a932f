"""The draws behind intervals, as map.json keeps them: for every mAP and average a text of as many numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clip_ae.scoring.bootstrap import compute_bootstrap_interval
from clip_ae.scoring.segments import Floats

# By mAP or average, then by tIoU or range.
Metrics = Mapping[str, Mapping[str, float]]
Draws = Mapping[str, Mapping[str, Floats]]
METRIC_KINDS = ("mAP", "average")


def bootstrap_summary(metrics: Metrics, draws: Draws, *, ground_truth_digest: str, protocol: str) -> dict[str, Any]:
    """`interval` and `bootstrap` of map.json, where any draw shows ground truth.

    Draws of two files pair where truth and protocol are the same.
    """
    if not all(len(values) for columns in draws.values() for values in columns.values()):
        return {}
    return {
        "interval": {
            kind: {c: compute_clipped_interval(metrics[kind][c], v) for c, v in draws[kind].items()}
            for kind in METRIC_KINDS
        },
        "bootstrap": {
            "truth": ground_truth_digest,
            "protocol": protocol,
            # A number a line would bury the rest of the file.
            **{kind: {c: " ".join(f"{x:.6f}" for x in v) for c, v in draws[kind].items()} for kind in METRIC_KINDS},
        },
    }


def read_draws(result: Mapping[str, Any]) -> dict[str, dict[str, Floats]]:
    return {
        kind: {c: np.array([float(x) for x in text.split()]) for c, text in result["bootstrap"][kind].items()}
        for kind in METRIC_KINDS
    }


def bootstrap_seed_mean(metrics: Metrics, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of the mean over seeds: in each draw all seeds see the same videos. Nothing where a seed has no draws."""
    if not all("bootstrap" in result for result in results):
        return {}
    found = [read_draws(result) for result in results]
    draws = {kind: {c: np.mean([f[kind][c] for f in found], axis=0) for c in metrics[kind]} for kind in METRIC_KINDS}
    first = results[0]["bootstrap"]
    return bootstrap_summary(metrics, draws, ground_truth_digest=first["truth"], protocol=first["protocol"])


def compute_clipped_interval(score: float, draws: Floats) -> list[float]:
    """The interval of a score that is a fraction."""
    ends: list[float] = np.clip(compute_bootstrap_interval(score, draws), 0, 1).tolist()
    return ends
