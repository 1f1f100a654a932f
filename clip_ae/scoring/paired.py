"""Is one run better than another? Differences seed by seed, as both share what a seed decides."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Paired:
    """Mean and sd of the differences; one seed tells nothing of their spread."""

    mean: float
    sd: float | None
    interval: tuple[float, float] | None
    seeds: int


def paired(first: Mapping[int, float], second: Mapping[int, float]) -> Paired:
    """First less second over the seeds that both have, with the interval of Student's t."""
    differences = [value - second[seed] for seed, value in first.items() if seed in second]
    mean, count = statistics.fmean(differences), len(differences)
    if count == 1:
        return Paired(mean, None, None, count)
    from scipy.stats import t

    sd = statistics.stdev(differences)
    half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * sd / math.sqrt(count)
    return Paired(mean, sd, (mean - half, mean + half), count)
