"""A localizer as NumPy arrays with the config to rebuild it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.localizer import Localizer, build


def module_arrays(module: nn.Module) -> dict[str, NDArray[Any]]:
    """The parameters and buffers of a module by name."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}


def count_parameters(module: nn.Module) -> int:
    """The number of trainable values of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def restore_localizer(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any], device: str) -> Localizer:
    """The localizer of a model file, ready for inference: tensors of `module_arrays`, metadata with its config."""
    localizer = build(read_localizer_config(metadata))
    localizer.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
    return localizer.to(device).eval()


def read_localizer_config(metadata: Mapping[str, Any]) -> LocalizerConfig:
    """The config in the metadata of a model file."""
    return parse_dataclass(LocalizerConfig, metadata["localizer_config"], "localizer_config")
