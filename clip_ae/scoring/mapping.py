"""Which classes a cluster stands for: weights [clusters, classes] from the training videos' classes.

counts [clusters, classes] are training videos. A class that no cluster stands for scores 0.
"""

import numpy as np
from numpy.typing import NDArray

from clip_ae.scoring.segments import Floats, Ints, Segments


def soft_majority(counts: Ints) -> Floats:
    """TCAM's rule, many to one: weight 1 for the most frequent class and its ties, 0.5 from half as many on."""
    most = counts.max(axis=1, keepdims=True)
    return np.where(counts == most, 1.0, np.where(2 * counts >= most, 0.5, 0.0)) * (counts > 0)


def hard_majority(counts: Ints) -> Floats:
    """The most frequent class alone; of ties the first by name."""
    return _chosen(counts, np.arange(len(counts)), counts.argmax(axis=1))


def hungarian(counts: Ints) -> Floats:
    """One to one, with the most videos in agreement: the honest lower reading."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(counts, maximize=True)
    return _chosen(counts, rows, columns)


CLUSTER_MAPPINGS = {"soft_majority": soft_majority, "hard_majority": hard_majority, "hungarian": hungarian}


def apply_mapping(weights: Floats, detections: Segments) -> Segments:
    """Each detection once for every class of its cluster, its score times the weight."""
    which, label = np.nonzero(weights[detections.label] > 0)
    d = detections.take(which)
    return Segments(d.video, label, d.start, d.stop, d.score * weights[d.label, label])


def _chosen(counts: Ints, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """Weight 1 for the chosen pairs; none for a pair without a single video."""
    weights = np.zeros(counts.shape)
    weights[rows, columns] = 1.0
    return weights * (counts > 0)
