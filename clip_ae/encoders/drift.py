"""What a faster setting costs: how far its features are from those of fp32."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.progress import say
from clip_ae.encoders.fitting import Encode
from clip_ae.encoders.pixels import Array


def drift(fast: NDArray[np.float32], exact: NDArray[np.float32]) -> tuple[float, float]:
    """(lowest cosine of a row, largest difference of a number as a share of the largest number)."""
    lengths = np.linalg.norm(fast, axis=1) * np.linalg.norm(exact, axis=1)
    cosines = (fast * exact).sum(axis=1) / np.maximum(lengths, 1e-12)
    return float(cosines.min()), float(np.abs(fast - exact).max() / max(float(np.abs(exact).max()), 1e-12))


def watched(encode: Encode, make_exact: Callable[[], Encode], label: str) -> Encode:
    """`encode`, which tells its drift on the first batch; the exact network is gone after that."""
    told = False

    def encode_and_tell(batch: Array) -> NDArray[np.float32]:
        nonlocal told
        features = encode(batch)
        if not told:
            told = True
            exact = make_exact()
            # One by one: the batch was chosen to fit the faster setting's memory, and fp32 takes twice as much.
            cosine, difference = drift(features, np.concatenate([exact(row[None]) for row in batch]))
            say(f"{label} against fp32, first batch: cosine {cosine:.5f}, largest difference {difference:.2%}")
        return features

    return encode_and_tell
