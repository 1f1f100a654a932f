"""What every localizer is made of: a branch a stream gives attention and class activations, losses teach it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import StreamTensors, Targets


@dataclass(frozen=True)
class StreamOutput:
    """One stream. K is the number of classes, and one more for background where the head has it.

    embedding [B, T, D]; logits: cas [B, T, K], foreground [B, K] of the attended snippets, background [B, K] of the
    others; attention [B, T] in [0, 1], 0 where masked.
    """

    embedding: Tensor
    cas: Tensor
    attention: Tensor
    foreground_logits: Tensor
    background_logits: Tensor | None = None


StreamOutputs = Mapping[str, StreamOutput]


def masked_sigmoid(logits: Tensor, mask: Tensor) -> Tensor:
    """sigmoid of logits [B, T, 1], 0 where masked: [B, T]. In bf16 it would be 1 from 7 on, and learn no more."""
    return torch.sigmoid(logits.float() if logits.dtype == torch.bfloat16 else logits).squeeze(-1) * mask


@dataclass(frozen=True)
class Curves:
    """Streams fused, all in [0, 1]: attention [B, T], class activation [B, T, C], video scores [B, C]."""

    attention: Tensor
    activation: Tensor
    scores: Tensor


class Head(nn.Module, ABC):
    """A head is one file in heads/ with a subclass that it offers as `build(blueprint, dims)`."""

    # Weights of the losses where the config names none: those of the paper.
    loss_weights: ClassVar[Mapping[str, float]]
    # Whether the last of K classes is background.
    has_background: ClassVar[bool] = False

    def __init__(self, config: LocalizerConfig, dims: Mapping[str, int]) -> None:
        super().__init__()
        outputs = config.num_classes + self.has_background
        self.branches = nn.ModuleDict({n: self.build_branch(dim, outputs, config) for n, dim in dims.items()})

    @abstractmethod
    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> nn.Module:
        """One stream's network: (x [B, T, dim] that is 0 where masked, mask [B, T]) -> StreamOutput.

        Its `width` is the length of its embedding.
        """

    @abstractmethod
    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        """One stream's losses by name, unweighted."""

    def forward(self, features: StreamTensors, masks: StreamTensors) -> dict[str, StreamOutput]:
        return {name: branch(features[name], masks[name]) for name, branch in self.branches.items()}

    def losses(self, outputs: StreamOutputs, masks: StreamTensors, targets: Targets) -> dict[str, Tensor]:
        """Summed over the streams: they share nothing, so each trains as if alone."""
        by_stream = [self.stream_losses(output, masks[name], targets) for name, output in outputs.items()]
        return {name: torch.stack([losses[name] for losses in by_stream]).sum() for name in by_stream[0]}

    def class_probabilities(self, logits: Tensor) -> Tensor:
        """Of the C classes, from logits [..., K]."""
        share = logits.softmax(dim=-1)
        return share[..., :-1] if self.has_background else share

    def foreground_probability(self, cas: Tensor) -> Tensor:
        """How much a snippet is action, [B, T]: all but background, or as much as of its likeliest class."""
        share = self.class_probabilities(cas)
        return share.sum(dim=-1) if self.has_background else share.amax(dim=-1)

    def compute_curves(self, output: StreamOutput, mask: Tensor) -> Curves:
        """One stream's."""
        activation = self.class_probabilities(output.cas) * mask[..., None]
        return Curves(output.attention, activation, self.class_probabilities(output.foreground_logits))

    def fuse(self, outputs: StreamOutputs, masks: StreamTensors, rgb_weight: float) -> Curves:
        """Weighted means over the streams."""
        share = {"rgb": rgb_weight, "flow": 1 - rgb_weight}
        found = [(share[name], self.compute_curves(output, masks[name])) for name, output in outputs.items()]
        attention, activation, scores = (
            sum(w * getattr(c, field) for w, c in found) for field in ("attention", "activation", "scores")
        )
        return Curves(attention, activation, scores)
