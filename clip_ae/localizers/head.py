"""The base class of heads: a branch for each stream computes attention and class activations; losses train it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import StreamTensors, Targets
from clip_ae.localizers.stream_modules import modules_by_stream


@dataclass(frozen=True)
class StreamOutput:
    """Output of one stream's branch. K is the number of classes, plus 1 if the head has a background class.

    embedding [B, T, D]; logits: cas [B, T, K] of snippets and foreground_logits [B, K] of the attended snippets
    together; attention [B, T] in [0, 1], 0 where masked.
    """

    embedding: Tensor
    cas: Tensor
    attention: Tensor
    foreground_logits: Tensor


@dataclass(frozen=True)
class BackgroundOutput(StreamOutput):
    """Output of a branch that also pools the background: background_logits [B, K] of the snippets not attended."""

    background_logits: Tensor


# What a head's branches return.
OutputT = TypeVar("OutputT", bound=StreamOutput)


def masked_sigmoid(logits: Tensor, mask: Tensor) -> Tensor:
    """sigmoid of logits [B, T, 1], 0 where masked: [B, T].

    bf16 is converted to float32 first: in bf16 the result is exactly 1 for logits of 7 and more, without gradient.
    """
    return torch.sigmoid(logits.float() if logits.dtype == torch.bfloat16 else logits).squeeze(-1) * mask


@dataclass(frozen=True)
class Curves:
    """Attention [B, T], class activation [B, T, C] and video scores [B, C], of one stream or fused, all in [0, 1]."""

    attention: Tensor
    activation: Tensor
    scores: Tensor


class Head(nn.Module, ABC, Generic[OutputT]):
    """A head is one file in heads/ with a subclass and `build(config, dims)`."""

    # Weights of the losses that the config does not mention: those of the paper.
    loss_weights: ClassVar[Mapping[str, float]]
    # Whether the last of the K classes is background.
    has_background: ClassVar[bool] = False
    # Whether attention is a sigmoid of each snippet, so that log(a / (1 - a)) is its logit.
    attention_is_sigmoid: ClassVar[bool] = True

    def __init__(self, config: LocalizerConfig, dims: Mapping[str, int]) -> None:
        super().__init__()
        num_outputs = config.num_classes + self.has_background
        self.branches = modules_by_stream({n: self.build_branch(dim, num_outputs, config) for n, dim in dims.items()})

    @abstractmethod
    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> nn.Module:
        """The network of one stream: (x [B, T, dim], 0 where masked; mask [B, T]) -> OutputT.

        Its attribute `width` is the length of its embedding.
        """

    @abstractmethod
    def stream_losses(self, output: OutputT, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The losses of one stream by name, without weights."""

    def forward(self, features: StreamTensors, masks: StreamTensors) -> dict[str, OutputT]:
        return {name: branch(features[name], masks[name]) for name, branch in self.branches.items()}

    def losses(self, outputs: Mapping[str, OutputT], masks: StreamTensors, targets: Targets) -> dict[str, Tensor]:
        """Sums over the streams. Streams share no parameters, so each is trained as if it were alone."""
        by_stream = [self.stream_losses(output, masks[name], targets) for name, output in outputs.items()]
        return {name: torch.stack([losses[name] for losses in by_stream]).sum() for name in by_stream[0]}

    def class_probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities of the C classes, without background, from logits [..., K]."""
        probabilities = logits.softmax(dim=-1)
        return probabilities[..., :-1] if self.has_background else probabilities

    def foreground_probability(self, cas: Tensor) -> Tensor:
        """Probability [B, T] that a snippet shows an action: 1 - background, or that of the most likely class."""
        probabilities = self.class_probabilities(cas)
        return probabilities.sum(dim=-1) if self.has_background else probabilities.amax(dim=-1)

    def compute_curves(self, output: OutputT, mask: Tensor) -> Curves:
        """The curves of one stream."""
        activation = self.class_probabilities(output.cas) * mask[..., None]
        return Curves(output.attention, activation, self.class_probabilities(output.foreground_logits))

    def fuse(self, outputs: Mapping[str, OutputT], masks: StreamTensors, weights: Mapping[str, float]) -> Curves:
        """The weighted mean of the streams' curves; the weights sum to 1."""
        curves = [(weights[name], self.compute_curves(output, masks[name])) for name, output in outputs.items()]
        return Curves(
            _weighted_sum((w, c.attention) for w, c in curves),
            _weighted_sum((w, c.activation) for w, c in curves),
            _weighted_sum((w, c.scores) for w, c in curves),
        )


def _weighted_sum(terms: Iterable[tuple[float, Tensor]]) -> Tensor:
    return torch.stack([weight * tensor for weight, tensor in terms]).sum(dim=0)
