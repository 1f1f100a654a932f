"""Map clusters to classes: weights [clusters, classes], computed from the classes of the training videos.

contingency [clusters, classes] counts training videos. A class without a cluster has AP 0.
"""

import numpy as np
from numpy.typing import NDArray

from clip_ae.scoring.segments import Floats, Ints, Segments, repeat_rows


def soft_majority(contingency: Ints) -> Floats:
    """TCAM's rule, many to one: 1 for the most frequent classes, 0.5 for those at least half as frequent."""
    most = contingency.max(axis=1, keepdims=True)
    return np.where(contingency == most, 1.0, np.where(2 * contingency >= most, 0.5, 0.0)) * (contingency > 0)


def hard_majority(contingency: Ints) -> Floats:
    """1 for the most frequent class; the first by name if several are."""
    return _weigh_pairs(contingency, np.arange(len(contingency)), contingency.argmax(axis=1))


def hungarian(contingency: Ints) -> Floats:
    """One to one, with the most videos in agreement: the strictest of the mappings."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(contingency, maximize=True)
    return _weigh_pairs(contingency, rows, columns)


CLUSTER_MAPPINGS = {"soft_majority": soft_majority, "hard_majority": hard_majority, "hungarian": hungarian}


def apply_mapping(cluster_weights: Floats, detections: Segments) -> Segments:
    """Copy each detection to every class of its cluster; the score is multiplied by the weight.

    The copies of one weight are together, so those of sorted detections are a few sorted runs: fast to sort again.
    """
    cluster, cluster_class = np.nonzero(cluster_weights > 0)
    num_copies = np.bincount(cluster, minlength=len(cluster_weights))
    first_copy = np.cumsum(num_copies) - num_copies
    index, copy = repeat_rows(num_copies[detections.label])
    d = detections.take(index)
    label = cluster_class[first_copy[d.label] + copy]
    weight = cluster_weights[d.label, label]
    mapped = Segments(d.video, label, d.start, d.stop, d.score * weight)
    values = np.unique(cluster_weights[cluster_weights > 0])
    return mapped.take(np.concatenate([index[:0], *(np.flatnonzero(weight == value) for value in values)]))


def _weigh_pairs(contingency: Ints, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """Weight 1 for each pair of a row and a column, except for pairs without a video."""
    weights = np.zeros(contingency.shape)
    weights[rows, columns] = 1.0
    return weights * (contingency > 0)
