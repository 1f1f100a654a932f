"""k-means on the descriptors, as in FEEL (2312.07384)."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from clip_ae.clustering.partition import Partition


def prepare(z: NDArray[np.float64], seed: int) -> Partition:
    """The partition of the rows of z [N, D] into any number of clusters."""
    return partial(cluster, z, seed)


def cluster(z: NDArray[np.float64], seed: int, num_clusters: int) -> NDArray[np.int32]:
    """The cluster of each row of z [N, D]."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # With several threads, the order in which partial sums are added varies from run to run.
    with threadpool_limits(1):
        model = KMeans(num_clusters, n_init=10, random_state=seed)
        return np.asarray(model.fit_predict(z), np.int32)
