"""Networks with random weights that preserve the scale of signals, and with a BatchNorm that is not the identity."""

import torch
from torch import nn

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import I3dOptions
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import i3d
from clip_ae.encoders.networks.state_dict import get_tensors

# Layers before ReLUs. The linear layers of transformers keep their own initialisation.
RECTIFIED = (nn.Conv2d, nn.Conv3d)


def randomize_weights(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with He's initialisation before ReLUs, and random BatchNorm statistics, scales and shifts."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, RECTIFIED):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            elif isinstance(layer, nn.BatchNorm3d):
                layer.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]
                layer.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
                layer.weight.uniform_(0.7, 1.4)
                layer.bias.normal_(0, 0.2)
    return network


def random_i3d(options: I3dOptions, seed: int = 0) -> NetworkWeights:
    """Random weights of an I3D."""
    return NetworkWeights({"i3d": to_plain_data(options)}, get_tensors(randomize_weights(i3d.build(options), seed)))


def perturb_weights(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with noise on every parameter and random BatchNorm statistics, in inference mode.

    Fresh transformers scale their blocks by almost 0, and fresh BatchNorms are the identity.
    """
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d) and layer.running_var is not None:
                layer.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]
                layer.running_var.uniform_(0.5, 2)
    return network.eval()
