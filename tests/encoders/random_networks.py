"""Networks with random weights under which signals keep their size, and BatchNorm that really does something."""

import torch
from torch import nn

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import I3dOptions
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import i3d
from clip_ae.encoders.networks.state_dict import get_tensors

# Layers before ReLUs. Transformers' linear layers stay as their own code makes them.
RECTIFIED = (nn.Conv2d, nn.Conv3d)


def stirred(network: nn.Module, seed: int = 0) -> nn.Module:
    """He's initialisation where ReLUs follow, and BatchNorm with statistics, scales and shifts far from 0 and 1."""
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
    return NetworkWeights({"i3d": to_plain_data(options)}, get_tensors(stirred(i3d.build(options), seed)))
