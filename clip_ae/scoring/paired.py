"""Is one run better than another? Differences seed by seed, or episode by episode, as both share what it decides."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class MeanEstimate:
    """Mean and sd of the differences; one seed tells nothing of their spread."""

    mean: float
    sd: float | None
    interval: tuple[float, float] | None
    num_values: int


def compare_paired(first: Mapping[int, float], second: Mapping[int, float]) -> MeanEstimate:
    """First less second over the seeds that both have, with the interval of Student's t."""
    return estimate_mean([value - second[seed] for seed, value in first.items() if seed in second])


def estimate_mean(values: Sequence[float]) -> MeanEstimate:
    """Their mean, with the interval of Student's t."""
    mean, count = statistics.fmean(values), len(values)
    if count == 1:
        return MeanEstimate(mean, None, None, count)
    from scipy.stats import t

    sd = statistics.stdev(values)
    half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * sd / math.sqrt(count)
    return MeanEstimate(mean, sd, (mean - half, mean + half), count)
