"""What a clustering returns: points are prepared once, and then divided into any number of clusters."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# From the number of clusters to the cluster of each point [N].
Partition = Callable[[int], NDArray[np.int32]]
