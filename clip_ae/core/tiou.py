"""Temporal intersection over union, in seconds."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def tiou(start: ArrayLike, stop: ArrayLike, other_start: ArrayLike, other_stop: ArrayLike) -> NDArray[np.float64]:
    """|A and B| / |A or B|, broadcast; 0 where both segments are empty.

    No length has 1 added to it: that habit comes from pixels and distorts short actions in seconds.
    """
    start, stop, other_start, other_stop = (np.asarray(v, np.float64) for v in (start, stop, other_start, other_stop))
    shared = np.maximum(0.0, np.minimum(stop, other_stop) - np.maximum(start, other_start))
    union = (stop - start) + (other_stop - other_start) - shared
    overlap: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap
