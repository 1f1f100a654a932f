"""Batch sizes that fit the device's memory: estimated from the free memory, halved when memory runs out."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.core.errors import UserError
from clip_ae.core.progress import log_line
from clip_ae.encoders.crops import Array

EncodeFunction = Callable[[Array], NDArray[np.float32]]
# Share of the free memory that a batch may use, and the largest batch: beyond it no network becomes faster.
MEMORY_SHARE, MAX_BATCH_SIZE = 0.7, 64
OUT_OF_MEMORY_ERRORS = ("out of memory", "alloc_failed", "unable to find an engine")


class BatchedEncoder:
    """Encodes in batches of one shape. The last batch is padded, so a feature never depends on its neighbours."""

    def __init__(self, encode: EncodeFunction, batch_size: int, device: str) -> None:
        """Encode `batch_size` snippets at a time; 0: as many as fit the free memory."""
        self.encode, self.batch_size, self.device = encode, batch_size, device

    def choose_batch_size(self, example: Array) -> int:
        """The batch size; where it is 0, it is estimated once from an example snippet."""
        if not self.batch_size:
            self.batch_size = estimate_batch_size(self.encode, example, self.device)
            log_line(f"batch size {self.batch_size} snippets, chosen from the free memory of {self.device}")
        return self.batch_size

    def __call__(self, batch: Array) -> NDArray[np.float32]:
        """Features [N, dim] of N snippets, in the order of the batch."""
        while True:
            try:
                pieces = [batch[i : i + self.batch_size] for i in range(0, len(batch), self.batch_size)]
                return np.concatenate([self._encode_padded(piece) for piece in pieces])
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
            # Not inside `except`: there, the error still holds the memory of the batch.
            self._halve_batch_size()

    def _encode_padded(self, rows: Array) -> NDArray[np.float32]:
        padding = np.zeros((self.batch_size - len(rows), *rows.shape[1:]), rows.dtype)
        return self.encode(np.concatenate([rows, padding]) if len(padding) else rows)[: len(rows)]

    def _halve_batch_size(self) -> None:
        if self.batch_size == 1:
            raise UserError(f"{self.device}: not enough memory for one snippet; free memory or set device to cpu")
        self.batch_size //= 2
        torch.cuda.empty_cache()
        log_line(f"{self.device}: out of memory; continuing with batch size {self.batch_size}")


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out. The driver, cuBLAS and cuDNN word it differently; cuDNN finds "no engine"."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        phrase in str(error).lower() for phrase in OUT_OF_MEMORY_ERRORS
    )


def estimate_batch_size(encode: EncodeFunction, example: Array, device: str) -> int:
    """The largest power of two that fits, from the memory use of batches of one and of two snippets."""
    try:
        one_bytes, two_bytes = (_measure_peak_bytes(encode, np.stack([example] * n), device) for n in (1, 2))
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        return 1
    free_bytes, _ = torch.cuda.mem_get_info(device)
    fitting = 1 + int(MEMORY_SHARE * (free_bytes - one_bytes) / max(two_bytes - one_bytes, 1))
    return 1 << int(math.log2(min(max(fitting, 1), MAX_BATCH_SIZE)))


def _measure_peak_bytes(encode: EncodeFunction, batch: Array, device: str) -> int:
    """Peak memory that encoding a batch needs in addition to the memory in use before it."""
    # The first pass of a shape also compiles and allocates library memory, which is not the batch's.
    encode(batch)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    bytes_before = torch.cuda.memory_allocated(device)
    encode(batch)
    return torch.cuda.max_memory_allocated(device) - bytes_before
