"""DeepMind's names of I3D's tensors, as Flax keeps them, under the names of the published PyTorch weights."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

# Flax keeps what is learnt and what is counted apart.
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
    return any(name.startswith(FLAX_COLLECTIONS) for name in state_dict)


def convert_flax(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names that DeepMind does not have are kept, so that whoever fits the tensors can tell them."""
    renamed = {_renamed(name): _laid_out(name, tensor) for name, tensor in state_dict.items()}
    # These BatchNorms shift but do not scale.
    shifts = {name: tensor for name, tensor in renamed.items() if name.endswith("bn.bias")}
    scales = {name.replace("bn.bias", "bn.weight"): torch.ones_like(tensor) for name, tensor in shifts.items()}
    return scales | renamed


def _renamed(name: str) -> str:
    """params/Mixed_3b/Branch_1/Conv3d_0b_3x3/Conv_0/kernel is Mixed_3b.b1b.conv3d.weight."""
    tree, _, rest = name.partition("/")
    unit, _, leaf = rest.rpartition("/")
    unit, _, part = unit.rpartition("/")
    if f"{tree}/" not in FLAX_COLLECTIONS or f"{part}/{leaf}" not in FLAX_TO_PYTORCH:
        return name
    unit = BRANCH.sub(r"b\1\2", unit).replace("b0a", "b0").replace("Logits/Conv3d_0c_1x1", "logits")
    return f"{unit.replace('/', '.')}.{FLAX_TO_PYTORCH[f'{part}/{leaf}']}"


def _laid_out(name: str, tensor: Tensor) -> Tensor:
    """Kernels [D, H, W, in, out] with the outputs first; a BatchNorm's [1, 1, 1, 1, n] flat."""
    if name.endswith("/kernel") and tensor.ndim == 5:
        return tensor.permute(4, 3, 0, 1, 2)
    return tensor.flatten()
