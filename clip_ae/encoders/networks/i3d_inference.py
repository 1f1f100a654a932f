"""I3D for inference: the same function, rearranged to run faster."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from clip_ae.core.config.schema import I3dOptions
from clip_ae.encoders.networks.i3d import I3d, MaxPool3dSamePadding, Unit3D, build, same_padding
from clip_ae.encoders.networks.state_dict import load_tensors

# Matrix units read channels in multiples of this number.
CHANNEL_MULTIPLE = 8


def inference_network(options: I3dOptions, tensors: Mapping[str, NDArray[Any]], weights_name: str) -> I3d:
    """The network with these tensors: BatchNorm folded, first layer and poolings rearranged, channels last."""
    network = load_tensors(build(options), tensors, weights_name)
    units = [layer for layer in network.modules() if isinstance(layer, Unit3D)]
    for unit in units:
        fold_batch_norm(unit)
    # Modules come in the order in which the network runs them, so the first unit is Conv3d_1a_7x7.
    network.Conv3d_1a_7x7 = Stem(units[0])
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, MaxPool3dSamePadding) and layer.stride == (1, 1, 1):
                parent.add_module(name, SeparableMaxPool())
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]


def fold_batch_norm(unit: Unit3D) -> None:
    """Fold BatchNorm into the convolution before it: one pass over the data instead of two."""
    if isinstance(unit.bn, nn.BatchNorm3d):
        unit.conv3d, unit.bn = fuse_conv_bn_eval(unit.conv3d, unit.bn), nn.Identity()


class Stem(nn.Module):
    """The first unit, with its kernel's 7 columns of 2 or 3 channels as 1 column of 16 or 24 channels, the last unused.

    Reason: a convolution over two or three channels leaves most of a matrix unit idle.
    """

    def __init__(self, unit: Unit3D) -> None:
        super().__init__()
        self.kernel, self.stride = unit.kernel, unit.stride
        outputs, channels, depth, height, width = unit.conv3d.weight.shape
        self.folded_columns = -(-width * channels // CHANNEL_MULTIPLE) * CHANNEL_MULTIPLE // channels
        folded = unit.conv3d.weight.permute(0, 4, 1, 2, 3).reshape(outputs, width * channels, depth, height, 1)
        num_unused = self.folded_columns * channels - width * channels
        self.weight = nn.Parameter(F.pad(folded, (0, 0, 0, 0, 0, 0, 0, num_unused)))
        self.bias = unit.conv3d.bias

    def forward(self, x: Tensor) -> Tensor:
        step = self.stride[2]
        padding = same_padding(x.shape[2:], self.kernel, self.stride)
        padding[1] += self.folded_columns - self.kernel[2]
        padded = F.pad(x.permute(0, 2, 3, 4, 1), (0, 0, *padding))
        batch, frames, rows, width, channels = padded.shape
        num_positions = (width - self.folded_columns) // step + 1
        shape = (batch, frames, rows, num_positions, self.folded_columns * channels)
        columns = padded.as_strided(shape, (*padded.stride()[:3], step * channels, 1)).contiguous()
        stride = (*self.stride[:2], 1)
        return F.relu(F.conv3d(columns.permute(0, 4, 1, 2, 3), self.weight, self.bias, stride), inplace=True)


class SeparableMaxPool(nn.Module):
    """3x3x3 max pooling with stride 1, one axis after the other: 6 comparisons per value instead of 26."""

    def forward(self, x: Tensor) -> Tensor:
        for axis in (2, 3, 4):
            num_pairs, pooled = x.shape[axis] - 1, x.clone()
            for start, neighbour in ((0, 1), (1, 0)):
                pooled.narrow(axis, start, num_pairs).clamp_(min=x.narrow(axis, neighbour, num_pairs))
            x = pooled
        return x
