"""Average precision from precision and recall, by three rules.

precision, recall and recall_gain have shape [..., hits]. A hit is a true positive; hits are ordered by score, best
first. recall_gain is what each hit adds to recall. Detections between two hits only lower precision, so they are left
out.
"""

import numpy as np

from clip_ae.scoring.segments import Floats

ELEVEN_RECALLS = np.arange(11) / 10


def compute_interpolated_ap(precision: Floats, recall: Floats, recall_gain: Floats) -> Floats:
    """Area under the interpolated curve: at each recall, the best precision from there on (VOC 2010, ActivityNet)."""
    area: Floats = (recall_gain * _interpolate(precision)).sum(axis=-1)
    return area


def compute_noninterpolated_ap(precision: Floats, recall: Floats, recall_gain: Floats) -> Floats:
    """Mean of the precision at each ground truth, 0 at an undetected one (the THUMOS14 kit since 2015)."""
    area: Floats = (recall_gain * precision).sum(axis=-1)
    return area


def compute_eleven_point_ap(precision: Floats, recall: Floats, recall_gain: Floats) -> Floats:
    """Mean of the interpolated precision at recall 0, 0.1, ... 1 (VOC 2007, the THUMOS14 kit of 2014)."""
    reached_mask = recall[..., None, :] >= ELEVEN_RECALLS[:, None]
    area: Floats = np.where(reached_mask, precision[..., None, :], 0.0).max(axis=-1, initial=0.0).mean(axis=-1)
    return area


def _interpolate(precision: Floats) -> Floats:
    """For each hit, the highest precision at this hit or any later one."""
    best: Floats = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    return best
