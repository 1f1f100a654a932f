"""The moments of a video that match a text: a curve of logits, cut at several heights, ranked by evidence."""

import numpy as np

from clip_ae.core.timeline import SnippetGrid
from clip_ae.proposals.segments import Floats, PointRanges, find_ranges_above, ranges_to_seconds, upsample
from clip_ae.proposals.soft_nms import soft_nms

# Share of a video's snippets that are assumed not to match the text. Heights are counted from this quantile.
BACKGROUND_QUANTILE = 0.4
# Heights of the cuts, as shares of the distance from that quantile to the maximum.
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# Points of the curve for each snippet.
UPSAMPLING = 24
# Length at which the evidence is not scaled, in snippets: ten seconds on the published grid.
REFERENCE_SNIPPETS = 16
# Soft-NMS: decay in tIoU, and the lowest score, as a share of the best.
SOFT_NMS_SIGMA, MIN_SCORE_RATIO = 0.3, 1e-3


def rank_moments(curve: Floats, grid: SnippetGrid, duration: float) -> list[tuple[float, float, float]]:
    """(start, stop, score) of each moment, in seconds, best first.

    curve [T]: logits, 0 where a snippet matches the text no more than others do. For n snippets the evidence is
    e = softplus(mean logit) sqrt(n / 16) and the score e / (1 + e): a long match is more certain than one snippet, and
    scores of different videos are comparable.
    """
    points = upsample(curve, UPSAMPLING)
    low, high = np.quantile(points, BACKGROUND_QUANTILE), points.max()
    ranges = find_ranges_above(points - low, [height * (high - low) for height in THRESHOLDS])
    segments = ranges_to_seconds(ranges, UPSAMPLING, duration, grid)
    # The video may end before the middle of its last snippet: such segments are empty.
    nonempty_mask = segments[:, 0] < segments[:, 1]
    ranges, segments = ranges[nonempty_mask], segments[nonempty_mask]
    evidence = _evidence(points, ranges)
    scores = evidence / (1 + evidence)
    order, scores = soft_nms(segments, scores, SOFT_NMS_SIGMA, MIN_SCORE_RATIO * scores.max(initial=0.0))
    return [
        (start, stop, score) for (start, stop), score in zip(segments[order].tolist(), scores.tolist(), strict=True)
    ]


def _evidence(points: Floats, ranges: PointRanges) -> Floats:
    """softplus(mean logit) sqrt(n / 16) of each range, n its length in snippets."""
    lengths = ranges[:, 1] - ranges[:, 0]
    cumulative = np.concatenate([[0.0], np.cumsum(points)])
    means = (cumulative[ranges[:, 1]] - cumulative[ranges[:, 0]]) / lengths
    evidence: Floats = np.logaddexp(0.0, means) * np.sqrt(lengths / UPSAMPLING / REFERENCE_SNIPPETS)
    return evidence
