"""I3D for inference alone: the same function, arranged so that processors run it faster."""

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

# Channels in which matrix units take their operands.
CHANNEL_MULTIPLE = 8


def inference_network(options: I3dOptions, tensors: Mapping[str, NDArray[Any]], weights_name: str) -> I3d:
    """The network with these tensors: BatchNorm folded, the first layer and the poolings rearranged, channels last."""
    network = load_tensors(build(options), tensors, weights_name)
    for unit in [layer for layer in network.modules() if isinstance(layer, Unit3D)]:
        fold_batch_norm(unit)
    assert isinstance(network.Conv3d_1a_7x7, Unit3D)
    network.Conv3d_1a_7x7 = Stem(network.Conv3d_1a_7x7)
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, MaxPool3dSamePadding) and layer.stride == (1, 1, 1):
                parent.add_module(name, SeparableMaxPool())
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]


def fold_batch_norm(unit: Unit3D) -> None:
    """BatchNorm into the convolution before it: one pass over the data instead of two."""
    assert isinstance(unit.bn, nn.BatchNorm3d)
    unit.conv3d, unit.bn = fuse_conv_bn_eval(unit.conv3d, unit.bn), nn.Identity()


class Stem(nn.Module):
    """The first unit, which reads seven columns of two or three channels as one column of 16 or 24, the last unused.

    A convolution over two or three channels leaves most of a matrix unit idle.
    """

    def __init__(self, unit: Unit3D) -> None:
        super().__init__()
        self.kernel, self.stride = unit.kernel, unit.stride
        outputs, channels, depth, height, width = unit.conv3d.weight.shape
        self.folded_columns = -(-width * channels // CHANNEL_MULTIPLE) * CHANNEL_MULTIPLE // channels
        folded = unit.conv3d.weight.permute(0, 4, 1, 2, 3).reshape(outputs, width * channels, depth, height, 1)
        unused = self.folded_columns * channels - width * channels
        self.weight = nn.Parameter(F.pad(folded, (0, 0, 0, 0, 0, 0, 0, unused)))
        self.bias = unit.conv3d.bias

    def forward(self, x: Tensor) -> Tensor:
        step = self.stride[2]
        padding = same_padding(x.shape[2:], self.kernel, self.stride)
        padding[1] += self.folded_columns - self.kernel[2]
        padded = F.pad(x.permute(0, 2, 3, 4, 1), (0, 0, *padding))
        batch, frames, rows, width, channels = padded.shape
        places = (width - self.folded_columns) // step + 1
        strides = (*padded.stride()[:3], step * channels, 1)
        columns = padded.as_strided((batch, frames, rows, places, self.folded_columns * channels), strides).contiguous()
        stride = (*self.stride[:2], 1)
        return F.relu(F.conv3d(columns.permute(0, 4, 1, 2, 3), self.weight, self.bias, stride), inplace=True)


class SeparableMaxPool(nn.Module):
    """3x3x3 max pooling with stride 1, an axis after the other: six comparisons a number instead of 26."""

    def forward(self, x: Tensor) -> Tensor:
        for axis in (2, 3, 4):
            others, pooled = x.shape[axis] - 1, x.clone()
            for here, there in ((0, 1), (1, 0)):
                pooled.narrow(axis, here, others).clamp_(min=x.narrow(axis, there, others))
            x = pooled
        return x
