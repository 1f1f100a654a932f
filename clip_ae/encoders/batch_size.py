"""Batches that fit the device's memory: chosen from what is free, halved where that was too much."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.core.errors import UserError
from clip_ae.core.progress import log_line
from clip_ae.encoders.crops import Array

EncodeFunction = Callable[[Array], NDArray[np.float32]]
# Share of the free memory that a batch may take, and the most snippets that still make a network faster.
MEMORY_SHARE, MAX_BATCH_SIZE = 0.7, 64
OUT_OF_MEMORY_ERRORS = ("out of memory", "alloc_failed", "unable to find an engine")


class BatchedEncoder:
    """An encoder in batches of one shape; the last one is padded, so that no neighbour ever changes a row."""

    def __init__(self, encode: EncodeFunction, batch_size: int, device: str) -> None:
        """`batch` snippets at a time; 0: as many as fit."""
        self.encode, self.batch_size, self.device = encode, batch_size, device

    def choose_batch_size(self, example: Array) -> int:
        if not self.batch_size:
            self.batch_size = estimate_batch_size(self.encode, example, self.device)
            log_line(f"{self.batch_size} snippets a batch fit the free memory of {self.device}")
        return self.batch_size

    def __call__(self, batch: Array) -> NDArray[np.float32]:
        while True:
            try:
                pieces = [batch[i : i + self.batch_size] for i in range(0, len(batch), self.batch_size)]
                return np.concatenate([self._padded(piece) for piece in pieces])
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
            # Not above, where the error still holds what the batch took.
            self._halve()

    def _padded(self, rows: Array) -> NDArray[np.float32]:
        padding = np.zeros((self.batch_size - len(rows), *rows.shape[1:]), rows.dtype)
        return self.encode(np.concatenate([rows, padding]) if len(padding) else rows)[: len(rows)]

    def _halve(self) -> None:
        if self.batch_size == 1:
            raise UserError(f"{self.device}: not even one snippet fits its memory; free some or set device to cpu")
        self.batch_size //= 2
        torch.cuda.empty_cache()
        log_line(f"{self.device}: out of memory; on with {self.batch_size} snippets a batch")


def _out_of_memory(error: RuntimeError) -> bool:
    """The driver, cuBLAS and cuDNN have words of their own for it; the last one's are that it finds no way."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error).lower() for words in OUT_OF_MEMORY_ERRORS
    )


def estimate_batch_size(encode: EncodeFunction, example: Array, device: str) -> int:
    """A power of two, from what batches of one and of two snippets take."""
    try:
        one, two = (_peak(encode, np.stack([example] * n), device) for n in (1, 2))
    except RuntimeError as error:
        if not _out_of_memory(error):
            raise
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    fit = 1 + int(MEMORY_SHARE * (free - one) / max(two - one, 1))
    return 1 << int(math.log2(min(max(fit, 1), MAX_BATCH_SIZE)))


def _peak(encode: EncodeFunction, batch: Array, device: str) -> int:
    """Bytes that encoding a batch takes beyond what is there already."""
    # What only a first pass of a shape takes is no snippet's: translation, libraries' own memory.
    encode(batch)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    encode(batch)
    return torch.cuda.max_memory_allocated(device) - before
