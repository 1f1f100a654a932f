"""A plain I3D, one operation after the other as published: the reference for our network and for benchmarks.

Explicit zero padding, BatchNorm after each convolution, an average over 2x7x7 of the last maps. It shares only the
names of the tensors with the network under test.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Tensors = Mapping[str, Tensor]


def features(x: Tensor, weights: Tensors) -> Tensor:
    """Features [B, 1024] of clips [B, channels, 16, 224, 224] in -1..1: `extract_features` of the published code."""
    x = _unit(x, weights, "Conv3d_1a_7x7", stride=2)
    x = _pool(x, (1, 3, 3), (1, 2, 2))
    x = _unit(x, weights, "Conv3d_2b_1x1")
    x = _unit(x, weights, "Conv3d_2c_3x3")
    x = _pool(x, (1, 3, 3), (1, 2, 2))
    for name in ("3b", "3c"):
        x = _mixed(x, weights, f"Mixed_{name}")
    x = _pool(x, (3, 3, 3), (2, 2, 2))
    for name in ("4b", "4c", "4d", "4e", "4f"):
        x = _mixed(x, weights, f"Mixed_{name}")
    x = _pool(x, (2, 2, 2), (2, 2, 2))
    for name in ("5b", "5c"):
        x = _mixed(x, weights, f"Mixed_{name}")
    return F.avg_pool3d(x, tuple(x.shape[2:])).flatten(1)


def logits(x: Tensor, weights: Tensors) -> Tensor:
    """Class logits [B, classes]."""
    pooled = features(x, weights)[:, :, None, None, None]
    return F.conv3d(pooled, weights["logits.conv3d.weight"], weights["logits.conv3d.bias"]).flatten(1)


def _unit(x: Tensor, weights: Tensors, name: str, stride: int = 1) -> Tensor:
    kernel = weights[f"{name}.conv3d.weight"]
    x = F.conv3d(_pad(x, kernel.shape[2:], (stride,) * 3), kernel, stride=stride)
    statistics = (weights[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return F.relu(F.batch_norm(x, *statistics, eps=0.001))


def _mixed(x: Tensor, weights: Tensors, name: str) -> Tensor:
    def unit(x: Tensor, branch: str) -> Tensor:
        return _unit(x, weights, f"{name}.{branch}")

    pooled = _pool(x, (3, 3, 3), (1, 1, 1))
    return torch.cat(
        [unit(x, "b0"), unit(unit(x, "b1a"), "b1b"), unit(unit(x, "b2a"), "b2b"), unit(pooled, "b3b")], dim=1
    )


def _pool(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    return F.max_pool3d(_pad(x, kernel, stride), kernel, stride)


def _pad(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """x with zeros, so that the output has ceil(size / stride) elements; an odd zero is at the end."""
    sides: list[int] = []
    for size, k, s in zip(x.shape[2:], kernel, stride, strict=True):
        missing = max(k - s, 0) if size % s == 0 else max(k - size % s, 0)
        sides = [missing // 2, missing - missing // 2, *sides]
    return F.pad(x, sides)
