"""Load tensors into a network and read them out; every name and shape must match."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clip_ae.core.errors import RefusedInput

N = TypeVar("N", bound=nn.Module)
# BatchNorm's counter of training batches: inference does not need it and old files lack it.
BATCH_COUNTER = "num_batches_tracked"


def get_tensors(network: nn.Module) -> dict[str, NDArray[Any]]:
    """The network's tensors by name, without BatchNorm's counters."""
    return {name: value.detach().cpu().numpy() for name, value in _state_without_counters(network).items()}


def load_tensors(network: N, tensors: Mapping[str, NDArray[Any]], weights_name: str) -> N:
    """The network with these tensors, in inference mode. The first tensor that does not match is an error."""
    expected = _state_without_counters(network)
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise RefusedInput(f"{weights_name}: has no tensor {name}; the config describes another network")
        if name not in expected:
            raise RefusedInput(f"{weights_name}: tensor {name} is none of the configured network's")
        shape, expected_shape = tensors[name].shape, tuple(expected[name].shape)
        if shape != expected_shape:
            raise RefusedInput(
                f"{weights_name}: tensor {name} is {list(shape)}, the configured network's is {list(expected_shape)}"
            )
    # Copies: torch does not support read-only arrays.
    state = {name: torch.from_numpy(np.array(tensor)) for name, tensor in tensors.items()}
    network.load_state_dict(state, strict=False)
    return network.eval()


def unwrap_state_dict(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """A published state dict without its outer `state_dict`, the prefix `module.` and BatchNorm's counters."""
    inner = state_dict.get("state_dict", state_dict)
    bare = {name.removeprefix("module."): value for name, value in inner.items()}
    return {name: value for name, value in bare.items() if not name.endswith(BATCH_COUNTER)}


def _state_without_counters(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value for name, value in network.state_dict().items() if not name.endswith(BATCH_COUNTER)}
