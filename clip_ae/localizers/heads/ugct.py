"""The head of UGCT, similar to TSCN and WSAL-BM. Reconstructed: no code of UGCT was available.

Each stream, with features x:
    E = ReLU(Conv_k3 x),  A = sigmoid(Conv_k1 E),  D = Dropout(E),  S = Conv_k1 D   with a background class
    f_fg = sum A D / sum A,  f_bg = sum (1 - A) D / sum (1 - A)
    p_fg = softmax(W f_fg),  p_bg = softmax(W f_bg)                         W is the classifier of S
    loss = CE(p_fg, y) + CE(p_bg, background) + norm + guide, weighted
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.embedding import Embedding
from clip_ae.localizers.head import BackgroundOutput, Head, masked_sigmoid
from clip_ae.localizers.pooling import attention_pool
from clip_ae.losses.background import background_loss
from clip_ae.losses.foreground import foreground_loss
from clip_ae.losses.guide import guide_loss
from clip_ae.losses.norm import attention_norm_loss


class Branch(nn.Module):
    """One stream's embedding, attention and classifier."""

    def __init__(self, dim: int, num_outputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.embedding, self.dropout = Embedding(dim, width), nn.Dropout(dropout)
        self.attention = nn.Linear(width, 1)
        self.classifier = nn.Linear(width, num_outputs)

    def forward(self, x: Tensor, mask: Tensor) -> BackgroundOutput:
        embedding = self.embedding(x)
        attention = masked_sigmoid(self.attention(embedding), mask)
        dropped = self.dropout(embedding)
        fg, bg = attention_pool(dropped, attention), attention_pool(dropped, (1 - attention) * mask)
        return BackgroundOutput(
            embedding, self.classifier(dropped), attention, self.classifier(fg), self.classifier(bg)
        )


class UgctHead(Head[BackgroundOutput]):
    """Classification of foreground and background, attention normalization and guide loss."""

    # UGCT's weights are unknown: norm from TSCN, the others from DGAM.
    loss_weights: ClassVar[Mapping[str, float]] = {"foreground": 1.0, "background": 0.03, "norm": 0.1, "guide": 0.1}
    has_background: ClassVar[bool] = True

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs, config.width, config.dropout)

    def stream_losses(self, output: BackgroundOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        return {
            "foreground": foreground_loss(output.foreground_logits, targets.labels),
            "background": background_loss(output.background_logits),
            "norm": attention_norm_loss(output.attention, mask),
            "guide": guide_loss(output.attention, output.cas.softmax(dim=-1), targets.labels, mask),
        }


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> UgctHead:
    return UgctHead(config, dims)
