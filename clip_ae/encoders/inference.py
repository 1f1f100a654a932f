"""A stream's network at work: its precision, its translation, its batches from numpy and back."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from clip_ae.core.config.schema import StreamEncoder
from clip_ae.core.config.training import Precision
from clip_ae.encoders.crops import Array

Forward = Callable[[Tensor], Tensor]
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def compile_forward(forward: Forward, encoder: StreamEncoder) -> Forward:
    """The forward pass, translated where the config asks for it. Frozen: weights become constants, laid out to fit."""
    if not encoder.compile:
        return forward
    # One network's batch sizes do not count against the next one's number of translations.
    torch._dynamo.reset()
    # Without a GPU, torch keeps its stand-in for one in the first thread that translates, and dies of it where that
    # thread has ended. So this is the first: networks are built here and work in threads that end.
    with FakeTensorMode():
        return torch.compile(forward, fullgraph=True, dynamic=False, options={"freezing": True})


@torch.inference_mode()
def infer(forward: Forward, batch: Array, device: str) -> NDArray[np.float32]:
    result: NDArray[np.float32] = forward(torch.from_numpy(batch).to(device)).float().cpu().numpy()
    return result
