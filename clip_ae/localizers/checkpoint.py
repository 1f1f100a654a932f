"""A trained head as plain arrays and what is needed to build it again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.core.tables import HEADS, load
from clip_ae.localizers.head import Head


def about(method: str, dims: Mapping[str, int], classes: int) -> dict[str, Any]:
    return {"method": method, "dims": dict(dims), "classes": classes}


def arrays(head: Head) -> dict[str, NDArray[Any]]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in head.state_dict().items()}


def restore(tensors: Mapping[str, NDArray[Any]], known: Mapping[str, Any], device: str) -> Head:
    """The head that `arrays` and `about` describe, ready for inference."""
    head: Head = load(HEADS[known["method"]].module).build(known["dims"], known["classes"])
    head.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
    return head.to(device).eval()
