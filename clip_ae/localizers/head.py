"""What every localizer offers: class activations, attention, losses, and how its streams are fused."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class HeadOutput:
    """By stream: logits cas [B, T, C] and video [B, C]; attention [B, T] in [0, 1], 0 where masked."""

    cas: Tensors
    attention: Tensors
    video: Tensors


@dataclass(frozen=True)
class Curves:
    """Streams fused, all in [0, 1]: attention [B, T], class activation [B, T, C], video scores [B, C]."""

    attention: Tensor
    activation: Tensor
    scores: Tensor


class Head(nn.Module, ABC):
    """A localizer's module offers a subclass by `build(dims, classes)`, dims by stream."""

    # Weights of the losses where the config names none: those of the paper.
    loss_weights: ClassVar[Mapping[str, float]]

    @abstractmethod
    def forward(self, features: Tensors, mask: Tensors) -> HeadOutput: ...

    @abstractmethod
    def losses(self, output: HeadOutput, mask: Tensors, labels: Tensor) -> dict[str, Tensor]:
        """The losses by name, unweighted; labels [B, C] in {0, 1}."""

    @abstractmethod
    def fuse(self, output: HeadOutput, rgb_weight: float) -> Curves: ...
