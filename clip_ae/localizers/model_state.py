"""A trained localizer as plain arrays and what is needed to build it again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clip_ae.core.config.dataclass_config import read
from clip_ae.core.config.methods import Blueprint
from clip_ae.localizers.localizer import Localizer, build


def arrays(module: nn.Module) -> dict[str, NDArray[Any]]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}


def restore(tensors: Mapping[str, NDArray[Any]], known: Mapping[str, Any], device: str) -> Localizer:
    """The localizer that `arrays` and its blueprint describe, ready for inference."""
    localizer = build(blueprint_of(known))
    localizer.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
    return localizer.to(device).eval()


def blueprint_of(known: Mapping[str, Any]) -> Blueprint:
    return read(Blueprint, known["blueprint"], "blueprint")
