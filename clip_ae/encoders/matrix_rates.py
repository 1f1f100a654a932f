"""Measure how fast this machine multiplies matrices."""

import time

import torch

from clip_ae.core.machine_rates import MachineRates
from clip_ae.encoders.openvino_backend import has_bf16_instructions

# Side of the square matrices: large enough for the full rate, small enough for a tenth of a second.
SIZE, PASSES = 2048, 3


def measure_rates(threads: int) -> MachineRates:
    """Measure with the threads of one job."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        fp32 = _measure(torch.float32)
        return MachineRates(fp32, _measure(torch.bfloat16) if has_bf16_instructions() else fp32)
    finally:
        torch.set_num_threads(before)


def _measure(dtype: torch.dtype) -> float:
    matrix, seconds = torch.ones(SIZE, SIZE, dtype=dtype), []
    for _ in range(PASSES):
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        seconds.append(time.perf_counter() - start)
    return 2 * SIZE**3 / min(seconds) / 1e9
