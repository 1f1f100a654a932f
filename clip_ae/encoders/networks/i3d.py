"""I3D: Inception-v1 inflated to 3D (Carreira and Zisserman, CVPR 2017).

Modules have the names of the published PyTorch weights (Conv3d_1a_7x7 ... Mixed_5c, logits).
"""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.schema import I3dOptions
from clip_ae.core.errors import UserError
from clip_ae.encoders.networks.i3d_names import convert_flax, is_flax
from clip_ae.encoders.networks.state_dict import unwrap_state_dict
from clip_ae.encoders.normalize import RGB_SCALING

Triple = tuple[int, int, int]
# Channels of b0, b1a, b1b, b2a, b2b, b3b. Max pooling halves time and space before 4b and 5b.
INCEPTION_CHANNELS = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


def same_padding(size: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...]) -> list[int]:
    """TensorFlow's SAME padding in F.pad's order (last axis first); an odd element is padded at the end."""
    padding: list[int] = []
    for n, k, s in reversed(list(zip(size, kernel, stride, strict=True))):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        padding += [total // 2, total - total // 2]
    return padding


class MaxPool3dSamePadding(nn.Module):
    """Max pooling with SAME padding. The padding value does not matter: inputs are ReLU outputs (>= 0)."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        # max_pool3d pads both ends alike; ceil_mode extends the last window by one, to SAME's odd element.
        padding = same_padding(x.shape[2:], self.kernel, self.stride)[-2::-2]
        return F.max_pool3d(x, self.kernel, self.stride, padding, ceil_mode=True)


class Unit3D(nn.Module):
    """Convolution with SAME padding, BatchNorm, ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Triple = (1, 1, 1), stride: Triple = (1, 1, 1)
    ) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(in_channels, out_channels, kernel, stride, bias=False)
        self.bn: nn.Module = nn.BatchNorm3d(out_channels, eps=1e-3)
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self._convolve(x)), inplace=True)

    def _convolve(self, x: Tensor) -> Tensor:
        padding = same_padding(x.shape[2:], self.kernel, self.stride)
        before, after = padding[-2::-2], padding[::-2]
        if before != after:
            x, before = F.pad(x, padding), [0, 0, 0]
        return F.conv3d(x, self.conv3d.weight, self.conv3d.bias, self.stride, before)


class InceptionModule(nn.Module):
    """An Inception module: four parallel branches, concatenated by channel."""

    def __init__(self, in_channels: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = channels
        self.b0 = Unit3D(in_channels, b0)
        self.b1a = Unit3D(in_channels, b1a)
        self.b1b = Unit3D(b1a, b1b, (3, 3, 3))
        self.b2a = Unit3D(in_channels, b2a)
        self.b2b = Unit3D(b2a, b2b, (3, 3, 3))
        self.b3a = MaxPool3dSamePadding((3, 3, 3), (1, 1, 1))
        self.b3b = Unit3D(in_channels, b3b)
        self.out_channels = b0 + b1b + b2b + b3b

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))]
        return torch.cat(branches, dim=1)


class Logits(nn.Module):
    """The published classifier: a 1x1x1 convolution with bias."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(in_channels, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.conv3d(x)
        return logits


class I3d(nn.Module):
    """Clips [B, channels, T, H, W] to features [B, dim] or class logits [B, classes]."""

    def __init__(self, channels: int, width_factor: float, num_classes: int) -> None:
        super().__init__()

        def scaled(n: int) -> int:
            return max(1, round(n * width_factor))

        self.Conv3d_1a_7x7: nn.Module = Unit3D(channels, scaled(64), (7, 7, 7), (2, 2, 2))
        self.MaxPool3d_2a_3x3 = MaxPool3dSamePadding((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit3D(scaled(64), scaled(64))
        self.Conv3d_2c_3x3 = Unit3D(scaled(64), scaled(192), (3, 3, 3))
        self.MaxPool3d_3a_3x3 = MaxPool3dSamePadding((1, 3, 3), (1, 2, 2))
        inputs = scaled(192)
        for name, outputs in INCEPTION_CHANNELS.items():
            if name == "Mixed_4b":
                self.MaxPool3d_4a_3x3 = MaxPool3dSamePadding((3, 3, 3), (2, 2, 2))
            elif name == "Mixed_5b":
                self.MaxPool3d_5a_2x2 = MaxPool3dSamePadding((2, 2, 2), (2, 2, 2))
            module = InceptionModule(inputs, tuple(map(scaled, outputs)))
            self.add_module(name, module)
            inputs = module.out_channels
        self.logits = Logits(inputs, num_classes)
        self.dim = inputs

    def extract_features(self, x: Tensor) -> Tensor:
        """Features [B, dim]: the last maps, averaged over time and space (2x7x7 for the published 16x224x224)."""
        for name, layer in self.named_children():
            if name != "logits":
                x = layer(x)
        return x.mean(dim=(2, 3, 4))

    def split_blocks(self, num_blocks: int) -> tuple[nn.Sequential, nn.Sequential]:
        """(the layers before the last `num_blocks` Inception modules, those modules with the poolings between them)."""
        layers = OrderedDict(self.named_children())
        del layers["logits"]
        first = list(layers).index(list(INCEPTION_CHANNELS)[-num_blocks])
        before, last = (OrderedDict(islice(layers.items(), *part)) for part in ((first,), (first, None)))
        return nn.Sequential(before), nn.Sequential(last)

    def forward_trunk(self, x: Tensor, num_blocks: int) -> Tensor:
        """Input of the last `num_blocks` Inception modules, flattened: [B, channels * T * H * W]."""
        maps: Tensor = self.split_blocks(num_blocks)[0](x)
        return maps.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Class logits [B, classes]."""
        logits: Tensor = self.logits(self.extract_features(x)[:, :, None, None, None])
        return logits.flatten(1)


def input_description(options: I3dOptions) -> str:
    """The network's input, for the metadata of network files."""
    frames = f"short side {options.short_side}, centre crop {options.crop}"
    if options.channels == 3:
        return f"RGB, {frames}, {RGB_SCALING}"
    return f"optical flow, {frames}, x / clip_value in -1..1"


def build(options: I3dOptions) -> I3d:
    """The network with random weights."""
    if options.crop > options.short_side:
        raise UserError(f"i3d.crop: {options.crop} pixels do not fit into short_side {options.short_side}")
    return I3d(options.channels, options.width, options.classes)


def convert_state_dict(state_dict: Mapping[str, Any], options: I3dOptions) -> dict[str, Any]:
    """A published state dict, in PyTorch's or in Flax's layout, with this network's names."""
    return convert_flax(state_dict) if is_flax(state_dict) else unwrap_state_dict(state_dict)
