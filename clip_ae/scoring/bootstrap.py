"""Bootstrap over the test videos: how much a score depends on which videos are in the test set.

Draw k has the same videos for every file with the same list of videos, so draws of two detectors can be paired.
"""

from dataclasses import dataclass

import numpy as np

from clip_ae.scoring.average_precision import MatchedDetections, compute_ap_of_draws, count_ground_truths
from clip_ae.scoring.segments import Floats, Ints

BOOTSTRAP_SEED = 0
CONFIDENCE = 0.95
# Most weights (draws x true positives of one class, or bins of scores) in memory at once.
MAX_CHUNK_WEIGHTS = 10_000_000


def draw_videos(num_draws: int, num_videos: int) -> Ints:
    """How often each video is drawn, with replacement [draws, videos]."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    return rng.multinomial(num_videos, np.full(num_videos, 1 / num_videos), size=num_draws).astype(np.int32)


def bootstrap_map(matches: MatchedDetections, num_classes: int, num_draws: int, num_videos: int) -> Floats:
    """mAP [draws, thresholds], each over the classes that occur in the drawn videos.

    Draws without any ground truth, possible with few videos, are left out.
    """
    video_counts = draw_videos(num_draws, num_videos)
    present_mask = count_ground_truths(matches.ground_truth, num_classes, video_counts) > 0
    labels_of_hits = matches.detections.label[matches.tp_mask.any(axis=0)]
    max_hits = max(1, int(np.bincount(labels_of_hits).max(initial=0)))
    chunks = np.array_split(video_counts, max(1, -(-num_draws * max_hits // MAX_CHUNK_WEIGHTS)))
    ap = np.concatenate([compute_ap_of_draws(matches, num_classes, chunk) for chunk in chunks])
    num_present = np.maximum(present_mask.sum(axis=1), 1)
    mean_ap: Floats = (ap * present_mask[:, None]).sum(axis=2) / num_present[:, None]
    return mean_ap[present_mask.any(axis=1)]


def compute_bootstrap_interval(estimate: float, draws: Floats) -> tuple[float, float]:
    """The middle 95 % of the draws, shifted so that their mean is the estimate.

    Draws score too high: a draw has only about two thirds of the different videos, and AP over fewer videos is higher.
    With many classes this bias is larger than the spread, so only the spread is used.
    """
    low, high = compute_percentile_interval(draws) - draws.mean() + estimate
    return float(low), float(high)


def compute_percentile_interval(draws: Floats) -> Floats:
    """The 2.5 and 97.5 percentiles of the draws."""
    ends: Floats = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return ends


@dataclass(frozen=True)
class PairedComparison:
    """First minus second score: the difference, its interval, and the share of draws with a difference above 0."""

    difference: float
    interval: tuple[float, float]
    share_ahead: float

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes 0."""
        low, high = self.interval
        return low > 0 or high < 0


def compare_scores(first: float, second: float, first_draws: Floats, second_draws: Floats) -> PairedComparison:
    """Compare two scores, with the draws of both in the same order.

    The differences are not shifted: both scores have about the same bias, so it cancels. A shift would also move
    differences that are exactly 0.
    """
    differences = first_draws - second_draws
    low, high = compute_percentile_interval(differences).tolist()
    return PairedComparison(first - second, (low, high), float(np.mean(differences > 0)))
