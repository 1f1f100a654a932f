"""How far a score hangs on which videos the test set has: it is taken again on videos drawn with replacement.

Replicate k draws the same videos in every file that scores the same list of videos, so replicates of two detectors
can be paired.
"""

from dataclasses import dataclass

import numpy as np

from clip_ae.scoring.average_precision import MatchedDetections, compute_average_precision, count_ground_truths
from clip_ae.scoring.segments import Floats, Ints

BOOTSTRAP_SEED = 0
CONFIDENCE = 0.95
# Weights in memory at once.
MAX_CHUNK_WEIGHTS = 10_000_000


def draw_videos(num_replicates: int, num_videos: int) -> Ints:
    """How often each video is drawn [replicates, videos]."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    return rng.multinomial(num_videos, np.full(num_videos, 1 / num_videos), size=num_replicates).astype(np.int32)


def bootstrap_map(matches: MatchedDetections, num_classes: int, num_replicates: int, num_videos: int) -> Floats:
    """mAP [replicates, thresholds], each over the classes that its videos show."""
    times = draw_videos(num_replicates, num_videos)
    present = count_ground_truths(matches.ground_truth, num_classes, times) > 0
    most = max(1, int(np.bincount(matches.detections.label).max(initial=0)))
    parts = np.array_split(times, max(1, -(-num_replicates * most // MAX_CHUNK_WEIGHTS)))
    ap = np.concatenate([compute_average_precision(matches, num_classes, part) for part in parts])
    # A draw without any ground truth is possible with few videos; it scores 0 classes, and no mean.
    found: Floats = (ap * present[:, None]).sum(axis=2) / np.maximum(present.sum(axis=1), 1)[:, None]
    return found[present.any(axis=1)]


def compute_bootstrap_interval(estimate: float, draws: Floats) -> tuple[float, float]:
    """The middle 95 % of the draws, moved so that their mean is the estimate.

    A draw has a third fewer different videos, and interpolated precision of fewer is higher: mAP of draws lies above
    that of all videos, with many classes by more than it spreads. Only their spread is of use.
    """
    low, high = compute_percentile_interval(draws) - draws.mean() + estimate
    return float(low), float(high)


def compute_percentile_interval(draws: Floats) -> Floats:
    ends: Floats = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return ends


@dataclass(frozen=True)
class PairedComparison:
    """First less second: the difference of the scores, its interval, and the share of draws in which it is above 0."""

    difference: float
    interval: tuple[float, float]
    share_ahead: float

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves 0 out."""
        low, high = self.interval
        return low > 0 or high < 0


def compare_scores(first: float, second: float, first_draws: Floats, second_draws: Floats) -> PairedComparison:
    """Two scores, with the replicates of both in the same order.

    What lifts one's draws lifts the other's, so differences are taken as they are: most may be exactly 0.
    """
    difference = first_draws - second_draws
    low, high = compute_percentile_interval(difference).tolist()
    return PairedComparison(first - second, (low, high), float(np.mean(difference > 0)))
