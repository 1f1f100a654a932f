"""How much each snippet of a video looks like some words, against background; words are points of the joint space."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_ae.post_pretraining.adapter import Joint


@torch.inference_mode()
def embedded(joint: Joint, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """g of a video's features [T, D], of length 1, by stream."""
    return {name: F.normalize(joint.adapters[name](x[None])[0], dim=-1) for name, x in features.items()}


@torch.inference_mode()
def shares(joint: Joint, seen: Mapping[str, Tensor], words: Mapping[str, Tensor]) -> Tensor:
    """[T, 1 + N]: softmax over background and the N words [N, width] of a stream, of mean cosines over temperature."""
    nearness = [
        seen[name] @ torch.cat([joint.nothing[None], vectors]).T for name, vectors in words.items() if name in seen
    ]
    mean = torch.stack(nearness).mean(dim=0)
    return (joint.scale * mean).softmax(dim=-1)
