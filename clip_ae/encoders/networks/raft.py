"""RAFT (Teed and Deng, ECCV 2020): torchvision's network and the names of its published weights."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from clip_ae.core.config.schema import RaftOptions
from clip_ae.encoders.networks.state_dict import unwrap_state_dict
from clip_ae.encoders.normalize import RGB_SCALING


def input_description(options: RaftOptions) -> str:
    """The network's input, for the metadata of network files."""
    return f"pairs of RGB frames, {RGB_SCALING}"


def build(options: RaftOptions) -> nn.Module:
    """The network with random weights."""
    from torchvision.models.optical_flow import raft_large, raft_small

    network: nn.Module = {"large": raft_large, "small": raft_small}[options.size](weights=None)
    return network


def convert_state_dict(state_dict: Mapping[str, Any], options: RaftOptions) -> dict[str, Any]:
    """A published state dict, with this network's names."""
    return unwrap_state_dict(state_dict)
