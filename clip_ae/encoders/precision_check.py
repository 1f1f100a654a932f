"""What a faster setting costs: how far its features are from those of fp32."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.progress import log_line
from clip_ae.encoders.batch_size import BatchedEncoder, EncodeFunction
from clip_ae.encoders.crops import Array


def measure_deviation(fast: NDArray[np.float32], exact: NDArray[np.float32]) -> tuple[float, float]:
    """(lowest cosine of a row, largest difference of a number as a share of the largest number)."""
    lengths = np.linalg.norm(fast, axis=1) * np.linalg.norm(exact, axis=1)
    cosines = (fast * exact).sum(axis=1) / np.maximum(lengths, 1e-12)
    # Rows of nothing have no direction, but they agree.
    cosines[(fast == exact).all(axis=1)] = 1
    return float(cosines.min()), float(np.abs(fast - exact).max() / max(float(np.abs(exact).max()), 1e-12))


class PrecisionCheckedNetwork:
    """A network that tells its drift on the first batch; the exact one is gone after that."""

    def __init__(self, network: BatchedEncoder, build_exact: Callable[[], EncodeFunction], label: str) -> None:
        self.network, self.build_exact, self.label = network, build_exact, label
        self.checked = False

    def choose_batch_size(self, example: Array) -> int:
        return self.network.choose_batch_size(example)

    def __call__(self, batch: Array) -> NDArray[np.float32]:
        features = self.network(batch)
        if not self.checked:
            self.checked = True
            self._tell(batch, features)
        return features

    def _tell(self, batch: Array, features: NDArray[np.float32]) -> None:
        # One by one: the batch was chosen to fit the faster setting's memory, and fp32 takes twice as much.
        exact = BatchedEncoder(self.build_exact(), 1, self.network.device)(batch)
        cosine, difference = measure_deviation(features, exact)
        log_line(f"{self.label} against fp32, first batch: cosine {cosine:.5f}, largest difference {difference:.2%}")
