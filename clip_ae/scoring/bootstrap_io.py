"""Write and read the bootstrap draws of map.json: a string of numbers for every mAP and average."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clip_ae.core.score_columns import list_score_kinds
from clip_ae.scoring.bootstrap import compute_bootstrap_interval
from clip_ae.scoring.segments import Floats

# By kind (core/score_columns.py), then by tIoU, range of tIoU or frame protocol.
Metrics = Mapping[str, Mapping[str, float]]
Draws = Mapping[str, Mapping[str, Floats]]


def bootstrap_summary(metrics: Metrics, draws: Draws, *, ground_truth_digest: str, protocol: str) -> dict[str, Any]:
    """The keys `interval` and `bootstrap` of map.json; {} if no draw has ground truth.

    Draws of two files can be paired if `truth` and `protocol` are equal.
    """
    if not all(len(values) for columns in draws.values() for values in columns.values()):
        return {}
    return {
        "interval": {
            kind: {c: compute_clipped_interval(metrics[kind][c], v) for c, v in columns.items()}
            for kind, columns in draws.items()
        },
        "bootstrap": {
            "truth": ground_truth_digest,
            "protocol": protocol,
            # Strings: as JSON lists, with a number in each line, they would hide the rest of the file.
            **{
                kind: {c: " ".join(f"{x:.6f}" for x in v) for c, v in columns.items()}
                for kind, columns in draws.items()
            },
        },
    }


def read_draws(result: Mapping[str, Any]) -> dict[str, dict[str, Floats]]:
    """The draws of a map.json, by kind and column."""
    return {
        kind: {c: np.array([float(x) for x in text.split()]) for c, text in result["bootstrap"][kind].items()}
        for kind in list_score_kinds(result["bootstrap"])
    }


def bootstrap_seed_mean(metrics: Metrics, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """bootstrap_summary of the mean over seeds; {} if a seed has no draws.

    Draw k has the same videos for all seeds.
    """
    if not all("bootstrap" in result for result in results):
        return {}
    seed_draws = [read_draws(result) for result in results]
    draws = {
        kind: {c: np.mean([draws[kind][c] for draws in seed_draws], axis=0) for c in metrics[kind]} for kind in metrics
    }
    first = results[0]["bootstrap"]
    return bootstrap_summary(metrics, draws, ground_truth_digest=first["truth"], protocol=first["protocol"])


def compute_clipped_interval(score: float, draws: Floats) -> list[float]:
    """Bootstrap interval of a score between 0 and 1, clipped to that range."""
    ends: list[float] = np.clip(compute_bootstrap_interval(score, draws), 0, 1).tolist()
    return ends
