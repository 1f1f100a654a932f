"""The oracle: a head trained on the annotated extents. It measures the upper bound of features and proposals.

Each stream, with features x:
    E = ReLU(Conv_k3 x),  s = W Dropout(E) + b,  p = sigmoid(s)
    a_t = max_c p_tc
    v_c = sum_t p_tc s_tc / sum_t p_tc              video logit: the attention of each class is its own probability
    loss = extent BCE(p, extents) + classification BCE(sigmoid(v), y)
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.embedding import Embedding
from clip_ae.localizers.head import Curves, Head, StreamOutput
from clip_ae.losses.classification import classification_loss
from clip_ae.losses.extent import extent_loss


class Branch(nn.Module):
    """One stream's embedding and classifier."""

    def __init__(self, dim: int, num_outputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.embedding, self.dropout = Embedding(dim, width), nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_outputs)

    def forward(self, x: Tensor, mask: Tensor) -> StreamOutput:
        embedding = self.embedding(x)
        cas = self.classifier(self.dropout(embedding))
        attention = cas.sigmoid().amax(dim=-1) * mask
        return StreamOutput(embedding, cas, attention, pool_class_logits(cas, mask))


class Oracle(Head[StreamOutput]):
    """Losses on snippet labels and video labels."""

    loss_weights: ClassVar[Mapping[str, float]] = {"extent": 1.0, "classification": 1.0}

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs, config.width, config.dropout)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        if targets.snippet_labels is None:
            raise ValueError("the oracle needs snippet labels: give TargetBuilder a grid")
        return {
            "extent": extent_loss(output.cas, targets.snippet_labels, mask),
            "classification": classification_loss(output.foreground_logits, targets.labels),
        }

    def class_probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def compute_curves(self, output: StreamOutput, mask: Tensor) -> Curves:
        """The class activations, with attention 1: attention is the largest activation and would only square it."""
        curves = super().compute_curves(output, mask)
        return Curves(mask.to(curves.activation.dtype), curves.activation, curves.scores)


def pool_class_logits(cas: Tensor, mask: Tensor) -> Tensor:
    """v [B, C] of cas [B, T, C]. p / sum p is computed as a softmax of log p, which is stable for very small p."""
    real_mask = mask[..., None]
    weights = F.logsigmoid(cas).masked_fill(~real_mask, torch.finfo(cas.dtype).min).softmax(dim=1) * real_mask
    return (weights * cas).sum(dim=1)


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> Oracle:
    return Oracle(config, dims)
