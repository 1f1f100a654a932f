"""RAFT (Teed and Deng, ECCV 2020): torchvision's, with its published weights."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from clip_ae.core.config.schema import RaftOptions
from clip_ae.encoders.networks.state_dict import unwrapped
from clip_ae.encoders.normalize import RGB


def reads(options: RaftOptions) -> str:
    return f"pairs of RGB frames, {RGB}"


def build(options: RaftOptions) -> nn.Module:
    from torchvision.models.optical_flow import raft_large, raft_small

    network: nn.Module = {"large": raft_large, "small": raft_small}[options.size](weights=None)
    return network


def convert(state: Mapping[str, Any]) -> dict[str, Any]:
    """A published state dict under this network's names."""
    return unwrapped(state)
