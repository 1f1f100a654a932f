"""Names of I3D's tensors: from DeepMind's in Flax to those of the published PyTorch weights."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

# Flax stores trained parameters and BatchNorm statistics in separate collections.
FLAX_COLLECTIONS = ("params/", "batch_stats/")
FLAX_TO_PYTORCH = {
    "Conv_0/kernel": "conv3d.weight",
    "Conv_0/bias": "conv3d.bias",
    "BatchNorm_0/scale": "bn.weight",
    "BatchNorm_0/bias": "bn.bias",
    "BatchNorm_0/mean": "bn.running_mean",
    "BatchNorm_0/var": "bn.running_var",
}
BRANCH = re.compile(r"Branch_(\d)/Conv3d_0([ab])_\dx\d")


def is_flax(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the state dict has Flax's names."""
    return any(name.startswith(FLAX_COLLECTIONS) for name in state_dict)


def convert_flax(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict with PyTorch's names and layouts. Unknown names stay, so that loading reports them."""
    renamed = {_convert_name(name): _convert_layout(name, tensor) for name, tensor in state_dict.items()}
    # DeepMind's BatchNorms have shifts but no scales.
    shifts = {name: tensor for name, tensor in renamed.items() if name.endswith("bn.bias")}
    scales = {name.replace("bn.bias", "bn.weight"): torch.ones_like(tensor) for name, tensor in shifts.items()}
    return scales | renamed


def _convert_name(name: str) -> str:
    """params/Mixed_3b/Branch_1/Conv3d_0b_3x3/Conv_0/kernel becomes Mixed_3b.b1b.conv3d.weight."""
    collection, _, rest = name.partition("/")
    unit, _, leaf = rest.rpartition("/")
    unit, _, layer = unit.rpartition("/")
    if f"{collection}/" not in FLAX_COLLECTIONS or f"{layer}/{leaf}" not in FLAX_TO_PYTORCH:
        return name
    unit = BRANCH.sub(r"b\1\2", unit).replace("b0a", "b0").replace("Logits/Conv3d_0c_1x1", "logits")
    return f"{unit.replace('/', '.')}.{FLAX_TO_PYTORCH[f'{layer}/{leaf}']}"


def _convert_layout(name: str, tensor: Tensor) -> Tensor:
    """Kernels [D, H, W, in, out] to [out, in, D, H, W]; BatchNorm's [1, 1, 1, 1, n] to [n]."""
    if name.endswith("/kernel") and tensor.ndim == 5:
        return tensor.permute(4, 3, 0, 1, 2)
    return tensor.flatten()
