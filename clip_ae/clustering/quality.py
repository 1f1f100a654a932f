"""How well clusters agree with classes. For reports only: no training reads it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClusterQuality:
    """purity, nmi and ari are 1 for clusters that are the classes."""

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
    """Each video has one cluster and one class, its main one."""
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
        # Classes that are the most frequent of some cluster: all others score 0 under hard majority.
        covered=int((counts == counts.max(axis=1, keepdims=True)).any(axis=0).sum()),
        smallest=int(sizes.min()),
        largest=int(sizes.max()),
    )


def contingency_matrix(clusters: Sequence[int], classes: Sequence[str]) -> NDArray[np.int64]:
    """Videos by cluster and class, both in sorted order."""
    _, rows = np.unique(np.asarray(clusters), return_inverse=True)
    _, columns = np.unique(np.asarray(classes), return_inverse=True)
    counts = np.zeros((rows.max() + 1, columns.max() + 1), np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts
