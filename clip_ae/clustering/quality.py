"""Agreement of clusters with true classes. For reports only: no training uses it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClusterQuality:
    """Numbers of videos, clusters and classes, and measures of agreement.

    purity, nmi and ari are 1 if the clusters are the classes. covered: how many classes are the most frequent class
    of at least one cluster. smallest, largest: videos of the smallest and the largest cluster.
    """

    videos: int
    clusters: int
    classes: int
    purity: float
    nmi: float
    ari: float
    covered: int
    smallest: int
    largest: int


def measure_quality(clusters: Sequence[int], classes: Sequence[str]) -> ClusterQuality:
    """The quality of a clustering: each video has one cluster and one class, its main class."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    counts = contingency_matrix(clusters, classes)
    sizes = counts.sum(axis=1)
    return ClusterQuality(
        videos=len(clusters),
        clusters=counts.shape[0],
        classes=counts.shape[1],
        purity=float(counts.max(axis=1).sum() / sizes.sum()),
        nmi=float(normalized_mutual_info_score(classes, clusters)),
        ari=float(adjusted_rand_score(classes, clusters)),
        # With cluster mapping `hard_majority`, the classes that are not covered have a score of 0.
        covered=int((counts == counts.max(axis=1, keepdims=True)).any(axis=0).sum()),
        smallest=int(sizes.min()),
        largest=int(sizes.max()),
    )


def contingency_matrix(clusters: Sequence[int], classes: Sequence[str]) -> NDArray[np.int64]:
    """Number of videos [clusters, classes], both in sorted order."""
    _, rows = np.unique(np.asarray(clusters), return_inverse=True)
    _, columns = np.unique(np.asarray(classes), return_inverse=True)
    counts = np.zeros((rows.max() + 1, columns.max() + 1), np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts
