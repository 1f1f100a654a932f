"""A batch through a network and back."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@torch.inference_mode()
def infer(network: Callable[[Tensor], Tensor], batch: NDArray[np.float32], device: str) -> NDArray[np.float32]:
    result: NDArray[np.float32] = network(torch.from_numpy(batch).to(device)).float().cpu().numpy()
    return result
