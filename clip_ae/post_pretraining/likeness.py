"""A video's snippets as points of the joint space."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_ae.post_pretraining.adapter import Joint


@torch.inference_mode()
def embedded(joint: Joint, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """g of a video's features [T, D], of length 1, by stream."""
    return {name: F.normalize(joint.adapters[name](x[None])[0], dim=-1) for name, x in features.items()}
