"""The moments of a video that look like a text: where one curve is high, cut at every height and ranked."""

from collections.abc import Iterator

import numpy as np

from clip_ae.core.timeline import SnippetGrid
from clip_ae.proposals.segments import Floats, find_ranges_above, ranges_to_seconds, upsample
from clip_ae.proposals.soft_nms import soft_nms

# Of a video's snippets this share is taken not to show what is asked for; heights are counted from there.
BACKGROUND_QUANTILE = 0.4
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# Points a snippet; snippets whose evidence counts once: ten seconds on the published grid.
UPSAMPLING, REFERENCE_SNIPPETS = 24, 16
# Decay in tIoU, and the score below which nothing is kept, as a share of the best.
SOFT_NMS_SIGMA, MIN_SCORE_RATIO = 0.3, 1e-3


def rank_moments(curve: Floats, grid: SnippetGrid, duration: float) -> Iterator[tuple[float, float, float]]:
    """(start, stop, score), the best first; curve: logits, 0 where a snippet looks no more like the text than others.

    Evidence is softplus(mean logit) sqrt(n / ONCE) for n snippets, and a score is e / (1 + e): what looks like the
    text for long is surer than what does for a snippet, and scores are comparable between videos.
    """
    fine = upsample(curve, UPSAMPLING)
    low, high = np.quantile(fine, BACKGROUND_QUANTILE), fine.max()
    runs = find_ranges_above(fine - low, [height * (high - low) for height in THRESHOLDS])
    segments = ranges_to_seconds(runs, UPSAMPLING, duration, grid)
    # Of the last snippet there may be less than half.
    there = segments[:, 0] < segments[:, 1]
    runs, segments = runs[there], segments[there]
    points = runs[:, 1] - runs[:, 0]
    total = np.concatenate([[0.0], np.cumsum(fine)])
    level = (total[runs[:, 1]] - total[runs[:, 0]]) / points
    evidence = np.logaddexp(0.0, level) * np.sqrt(points / UPSAMPLING / REFERENCE_SNIPPETS)
    scores = evidence / (1 + evidence)
    order, scores = soft_nms(segments, scores, SOFT_NMS_SIGMA, MIN_SCORE_RATIO * scores.max(initial=0.0))
    for (start, stop), score in zip(segments[order].tolist(), scores.tolist(), strict=True):
        yield start, stop, score
