"""Inference of a stream's network: its precision, its backend, and batches from and to numpy."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from clip_ae.core.config.streams import ResolvedPrecision, StreamEncoder
from clip_ae.encoders.crops import Array
from clip_ae.encoders.openvino_backend import OpenvinoForward

Forward = Callable[[Tensor], Tensor]
DTYPES: dict[ResolvedPrecision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def resolved_precision(encoder: StreamEncoder) -> ResolvedPrecision:
    """The precision of a network that is built; `auto` is fp32, and its backend torch, unless another was chosen."""
    return "fp32" if encoder.precision == "auto" else encoder.precision


def network_dtype(encoder: StreamEncoder) -> torch.dtype:
    """Type of the network's weights and inputs in torch. OpenVINO converts by itself."""
    precision = resolved_precision(encoder)
    return torch.float32 if encoder.backend == "openvino" else DTYPES[precision]


def accelerate(forward: Forward, network: nn.Module, encoder: StreamEncoder) -> Forward:
    """The forward pass of a network by the encoder's backend.

    Compiled by torch, its weights are frozen: they become constants in the best memory layout.
    """
    if encoder.backend == "openvino":
        return OpenvinoForward(network, forward, resolved_precision(encoder))
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
