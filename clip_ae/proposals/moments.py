"""The moments of a video that look like a text: where one curve is high, cut at every height and ranked."""

from collections.abc import Iterator

import numpy as np

from clip_ae.core.timeline import Grid
from clip_ae.proposals.contrast import contrast
from clip_ae.proposals.segments import Floats, runs_above, seconds, upsample
from clip_ae.proposals.soft_nms import soft_nms

# Of a video's snippets this share is taken not to show what is asked for; heights are counted from there.
ELSEWHERE = 0.4
HEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# Points a snippet; margin of the contrast, as a share of the length; decay in tIoU.
UPSAMPLING, OUTER, SIGMA = 24, 0.25, 0.3


def moments(curve: Floats, grid: Grid, end: float, most: int) -> Iterator[tuple[float, float, float]]:
    """(start, stop, score), the best first. What stands out for long is surer than what stands out for a snippet.

    1 - exp(-c sqrt(n)) for contrast c over n snippets: in (0, 1), and comparable between videos.
    """
    fine = upsample(curve, UPSAMPLING)
    low, high = np.quantile(fine, ELSEWHERE), fine.max()
    runs = runs_above(fine - low, [height * (high - low) for height in HEIGHTS])
    segments = seconds(runs, UPSAMPLING, end, grid)
    evidence = contrast(fine, runs, OUTER) * np.sqrt((runs[:, 1] - runs[:, 0]) / UPSAMPLING)
    order, scores = soft_nms(segments, -np.expm1(-evidence), SIGMA, 1e-6)
    for place, score in zip(order[:most], scores.tolist(), strict=False):
        yield float(segments[place, 0]), float(segments[place, 1]), score
