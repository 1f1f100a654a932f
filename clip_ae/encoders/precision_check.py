"""Accuracy of a faster setting (bf16, compiled): the deviation of its features from those of fp32."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.progress import log_line
from clip_ae.encoders.batch_size import BatchedEncoder, EncodeFunction
from clip_ae.encoders.crops import Array


def measure_deviation(fast: NDArray[np.float32], exact: NDArray[np.float32]) -> tuple[float, float]:
    """(lowest cosine of two rows, largest difference as a share of the largest exact value), of rows [N, dim]."""
    lengths = np.linalg.norm(fast, axis=1) * np.linalg.norm(exact, axis=1)
    cosines = (fast * exact).sum(axis=1) / np.maximum(lengths, 1e-12)
    # Rows of zeros have no direction, but equal rows agree.
    cosines[(fast == exact).all(axis=1)] = 1
    return float(cosines.min()), float(np.abs(fast - exact).max() / max(float(np.abs(exact).max()), 1e-12))


class PrecisionCheckedNetwork:
    """A network that logs its deviation from fp32 on the first batch; the fp32 network is freed after that."""

    def __init__(self, network: BatchedEncoder, build_exact: Callable[[], EncodeFunction], label: str) -> None:
        self.network, self.build_exact, self.label = network, build_exact, label
        self.is_checked = False

    def choose_batch_size(self, example: Array) -> int:
        """The batch size of the faster network."""
        return self.network.choose_batch_size(example)

    def __call__(self, batch: Array) -> NDArray[np.float32]:
        """Features [N, dim] of the faster network."""
        features = self.network(batch)
        if not self.is_checked:
            self.is_checked = True
            self._log_deviation(batch, features)
        return features

    def _log_deviation(self, batch: Array, features: NDArray[np.float32]) -> None:
        # One snippet at a time: the batch size fits the memory of the faster setting, and fp32 needs twice as much.
        exact = BatchedEncoder(self.build_exact(), 1, self.network.device)(batch)
        cosine, difference = measure_deviation(features, exact)
        log_line(f"{self.label} against fp32, first batch: cosine {cosine:.5f}, largest difference {difference:.2%}")
