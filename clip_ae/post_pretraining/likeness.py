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
    """[T, 1 + N]: of background and the N words [N, width] of a stream."""
    points = {name: torch.cat([joint.nothing[None], vectors]) for name, vectors in words.items() if name in seen}
    return among(float(joint.scale), seen, points)


def among(scale: float, seen: Mapping[str, Tensor], points: Mapping[str, Tensor]) -> Tensor:
    """[T, N]: softmax over N points of a stream [N, width], of cosines' mean over the streams, over temperature."""
    nearness = torch.stack([seen[name] @ vectors.T for name, vectors in points.items()]).mean(dim=0)
    return (scale * nearness).softmax(dim=-1)
