"""The upper bound: what features and proposals allow when the annotated extents themselves are learnt.

Each stream, with features x:
    E = ReLU(Conv_k3 x),  s = W Dropout(E) + b,  p = sigmoid(s)
    a_t = max_c p_tc
    v_c = sum_t p_tc s_tc / sum_t p_tc              video logit: each class attended where it acts
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


class Oracle(Head):
    loss_weights: ClassVar[Mapping[str, float]] = {"extent": 1.0, "classification": 1.0}

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs, config.width, config.dropout)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        assert targets.snippet_labels is not None
        return {
            "extent": extent_loss(output.cas, targets.snippet_labels, mask),
            "classification": classification_loss(output.foreground_logits, targets.labels),
        }

    def class_probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def compute_curves(self, output: StreamOutput, mask: Tensor) -> Curves:
        """Its activations were taught extents themselves: attention, the largest of them, would only square them."""
        found = super().compute_curves(output, mask)
        return Curves(mask.to(found.activation.dtype), found.activation, found.scores)


def pool_class_logits(cas: Tensor, mask: Tensor) -> Tensor:
    """v [B, C] of cas [B, T, C]; a softmax of log p is p / sum p even where every p is tiny."""
    real = mask[..., None]
    share = F.logsigmoid(cas).masked_fill(~real, torch.finfo(cas.dtype).min).softmax(dim=1) * real
    return (share * cas).sum(dim=1)


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> Oracle:
    return Oracle(config, dims)
