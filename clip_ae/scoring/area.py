"""What of a curve of precision and recall is its average precision.

precision and recall [..., hits] are taken at the hits, in order of falling score; gain is what each adds to recall.
Between hits precision only falls, so nothing else of the curve matters.
"""

import numpy as np

from clip_ae.scoring.segments import Floats

ELEVEN_RECALLS = np.arange(11) / 10


def compute_interpolated_ap(precision: Floats, recall: Floats, recall_gain: Floats) -> Floats:
    """The area under the best precision from each recall on (VOC from 2010 on, ActivityNet)."""
    area: Floats = (recall_gain * _best_from_here(precision)).sum(axis=-1)
    return area


def compute_noninterpolated_ap(precision: Floats, recall: Floats, recall_gain: Floats) -> Floats:
    """Mean of the precision at each ground truth, 0 at those not found (the THUMOS14 kit since 2015)."""
    area: Floats = (recall_gain * precision).sum(axis=-1)
    return area


def compute_eleven_point_ap(precision: Floats, recall: Floats, recall_gain: Floats) -> Floats:
    """Mean of the best precision from recall 0, 0.1, ... 1 on (VOC 2007, the THUMOS14 kit of 2014)."""
    reached = recall[..., None, :] >= ELEVEN_RECALLS[:, None]
    area: Floats = np.where(reached, precision[..., None, :], 0.0).max(axis=-1, initial=0.0).mean(axis=-1)
    return area


def _best_from_here(precision: Floats) -> Floats:
    best: Floats = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    return best
