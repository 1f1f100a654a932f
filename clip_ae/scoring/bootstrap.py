"""How far a score hangs on which videos the test set has: it is taken again on videos drawn with replacement.

Replicate k draws the same videos in every file that scores the same list of videos, so replicates of two detectors
can be paired.
"""

from dataclasses import dataclass

import numpy as np

from clip_ae.scoring.average_precision import Judged, average_precision, positives_of
from clip_ae.scoring.segments import Floats, Ints

SEED = 0
CONFIDENCE = 0.95
# Weights in memory at once.
CHUNK = 10_000_000


def drawn(replicates: int, videos: int) -> Ints:
    """How often each video is drawn [replicates, videos]."""
    rng = np.random.default_rng(SEED)
    return rng.multinomial(videos, np.full(videos, 1 / videos), size=replicates).astype(np.int32)


def replicated(judged: Judged, classes: int, replicates: int, videos: int) -> Floats:
    """mAP [replicates, thresholds], each over the classes that its videos show."""
    times = drawn(replicates, videos)
    present = positives_of(judged.truth, classes, times) > 0
    most = max(1, int(np.bincount(judged.ranked.label).max(initial=0)))
    parts = np.array_split(times, max(1, -(-replicates * most // CHUNK)))
    ap = np.concatenate([average_precision(judged, classes, part) for part in parts])
    # A draw without any ground truth is possible with few videos; it scores 0 classes, and no mean.
    found: Floats = (ap * present[:, None]).sum(axis=2) / np.maximum(present.sum(axis=1), 1)[:, None]
    return found[present.any(axis=1)]


def interval(estimate: float, draws: Floats) -> tuple[float, float]:
    """The middle 95 % of the draws, moved so that their mean is the estimate.

    A draw has a third fewer different videos, and interpolated precision of fewer is higher: mAP of draws lies above
    that of all videos, with many classes by more than it spreads. Only their spread is of use.
    """
    low, high = middle(draws) - draws.mean() + estimate
    return float(low), float(high)


def middle(draws: Floats) -> Floats:
    ends: Floats = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return ends


@dataclass(frozen=True)
class Compared:
    """First less second: the difference of the scores, its interval, and the share of draws in which it is above 0."""

    difference: float
    interval: tuple[float, float]
    ahead: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves 0 out."""
        low, high = self.interval
        return low > 0 or high < 0


def compared(first: float, second: float, first_draws: Floats, second_draws: Floats) -> Compared:
    """Two scores, with the replicates of both in the same order.

    What lifts one's draws lifts the other's, so differences are taken as they are: most may be exactly 0.
    """
    difference = first_draws - second_draws
    low, high = middle(difference).tolist()
    return Compared(first - second, (low, high), float(np.mean(difference > 0)))
