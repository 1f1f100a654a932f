"""Inference of a stream's network: its precision, compilation, and batches from and to numpy."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from clip_ae.core.config.streams import StreamEncoder
from clip_ae.core.config.training import Precision
from clip_ae.encoders.crops import Array

Forward = Callable[[Tensor], Tensor]
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def compile_forward(forward: Forward, encoder: StreamEncoder) -> Forward:
    """The forward pass, compiled if the encoder says so. Frozen: weights become constants in the best memory layout."""
    if not encoder.compile:
        return forward
    # torch limits recompilations per process; without a reset, one network's batch sizes count against the next one.
    torch._dynamo.reset()
    # Without a GPU, torch keeps its stand-in for one in the first thread that compiles, and crashes once that thread
    # has ended. Networks are built in this thread but run in threads that end, so compile something here first.
    with FakeTensorMode():
        return torch.compile(forward, fullgraph=True, dynamic=False, options={"freezing": True})


@torch.inference_mode()
def infer(forward: Forward, batch: Array, device: str) -> NDArray[np.float32]:
    """The network's output for a batch, float32 in host memory."""
    output: NDArray[np.float32] = forward(torch.from_numpy(batch).to(device)).float().cpu().numpy()
    return output
