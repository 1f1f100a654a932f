"""Which classes a cluster stands for: weights [clusters, classes] from the training videos' classes.

counts [clusters, classes] are training videos. A class that no cluster stands for scores 0.
"""

import numpy as np
from numpy.typing import NDArray

from clip_ae.scoring.segments import Floats, Ints, Segments


def soft_majority(contingency: Ints) -> Floats:
    """TCAM's rule, many to one: weight 1 for the most frequent class and its ties, 0.5 from half as many on."""
    most = contingency.max(axis=1, keepdims=True)
    return np.where(contingency == most, 1.0, np.where(2 * contingency >= most, 0.5, 0.0)) * (contingency > 0)


def hard_majority(contingency: Ints) -> Floats:
    """The most frequent class alone; of ties the first by name."""
    return _chosen(contingency, np.arange(len(contingency)), contingency.argmax(axis=1))


def hungarian(contingency: Ints) -> Floats:
    """One to one, with the most videos in agreement: the honest lower reading."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(contingency, maximize=True)
    return _chosen(contingency, rows, columns)


CLUSTER_MAPPINGS = {"soft_majority": soft_majority, "hard_majority": hard_majority, "hungarian": hungarian}


def apply_mapping(cluster_weights: Floats, detections: Segments) -> Segments:
    """Each detection once for every class of its cluster, its score times the weight."""
    which, label = np.nonzero(cluster_weights[detections.label] > 0)
    d = detections.take(which)
    return Segments(d.video, label, d.start, d.stop, d.score * cluster_weights[d.label, label])


def _chosen(counts: Ints, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """Weight 1 for the chosen pairs; none for a pair without a single video."""
    weights = np.zeros(counts.shape)
    weights[rows, columns] = 1.0
    return weights * (counts > 0)
