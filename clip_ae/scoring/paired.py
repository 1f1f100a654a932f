"""Paired comparison of two runs: differences by seed or by episode, with the interval of Student's t."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class MeanEstimate:
    """Mean, sd and interval of some values; a single value has no sd and no interval."""

    mean: float
    sd: float | None
    interval: tuple[float, float] | None
    num_values: int


def compare_paired(first: Mapping[int, float], second: Mapping[int, float]) -> MeanEstimate:
    """Mean of first minus second over the keys (seeds or episodes) that both have, with its interval."""
    return estimate_mean([value - second[seed] for seed, value in first.items() if seed in second])


def estimate_mean(values: Sequence[float]) -> MeanEstimate:
    """Mean of the values, with the 95 % interval of Student's t."""
    mean, count = statistics.fmean(values), len(values)
    if count == 1:
        return MeanEstimate(mean, None, None, count)
    from scipy.stats import t

    sd = statistics.stdev(values)
    half_width = float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * sd / math.sqrt(count)
    return MeanEstimate(mean, sd, (mean - half_width, mean + half_width), count)
