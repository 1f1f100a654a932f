"""TSCN, two-stream consensus network (Zhai et al., ECCV 2020), before its refinements.

Each stream, with features x:
    E = ReLU(Conv_k3 x),  a = sigmoid(FC E),  D = Dropout(E),  s = W D + b    no background class
    p = softmax(W (sum a D / sum a) + b)
    loss = CE(p, y) + 0.1 norm
The pseudo ground truth is part of the learner. Left out: the paper's moving average before W, whose length is unknown;
E already depends on neighbouring snippets.
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.embedding import Embedding
from clip_ae.localizers.head import Head, StreamOutput, masked_sigmoid
from clip_ae.localizers.pooling import attention_pool
from clip_ae.losses.foreground import foreground_loss
from clip_ae.losses.norm import attention_norm_loss


class Branch(nn.Module):
    """One stream's embedding, attention and classifier."""

    def __init__(self, dim: int, num_outputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.embedding, self.dropout = Embedding(dim, width), nn.Dropout(dropout)
        self.attention = nn.Linear(width, 1)
        self.classifier = nn.Linear(width, num_outputs)

    def forward(self, x: Tensor, mask: Tensor) -> StreamOutput:
        embedding = self.embedding(x)
        attention = masked_sigmoid(self.attention(embedding), mask)
        dropped = self.dropout(embedding)
        pooled = attention_pool(dropped, attention)
        return StreamOutput(embedding, self.classifier(dropped), attention, self.classifier(pooled))


class Tscn(Head[StreamOutput]):
    """Video classification and attention normalization."""

    loss_weights: ClassVar[Mapping[str, float]] = {"foreground": 1.0, "norm": 0.1}

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs, config.width, config.dropout)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        return {
            "foreground": foreground_loss(output.foreground_logits, targets.labels),
            "norm": attention_norm_loss(output.attention, mask),
        }


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> Tscn:
    return Tscn(config, dims)
