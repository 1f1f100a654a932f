"""Measure how fast this machine multiplies matrices."""

import time
from collections.abc import Sequence

import torch

from clip_ae.core.machine_rates import MachineRates
from clip_ae.core.processor import has_bf16_instructions

# Side of the matrices: large enough for nearly the full rate, small enough for a tenth of a second.
QUICK_SIZES, PASSES = (2048,), 3


def measure_rates(threads: int) -> MachineRates:
    """Measure with the threads of one job."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        fp32 = measure_matrix_rate(torch.float32)
        return MachineRates(fp32, measure_matrix_rate(torch.bfloat16) if has_bf16_instructions() else fp32)
    finally:
        torch.set_num_threads(before)


def measure_matrix_rate(dtype: torch.dtype, sizes: Sequence[int] = QUICK_SIZES, passes: int = PASSES) -> float:
    """GFLOP/s of the fastest square product, after one pass that is not counted."""
    best = 0.0
    for size in sizes:
        a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
        torch.mm(a, b)
        for _ in range(passes):
            start = time.perf_counter()
            torch.mm(a, b)
            best = max(best, 2 * size**3 / (time.perf_counter() - start) / 1e9)
    return best
