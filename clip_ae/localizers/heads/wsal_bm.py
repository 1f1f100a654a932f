"""WSAL-BM, weakly supervised localization with background modeling (Nguyen, Ramanan, Fowlkes, ICCV 2019).

Each stream, with features x:
    a = sigmoid(FC2(ReLU(FC1 x))),  s = W x + b    with a background class
    f_fg = sum a x / sum a,  f_bg = sum (1 - a) x / sum (1 - a),  both classified by W
    loss = foreground + background + guide (with s smoothed along time) + clustering, weighted
No code was released. The losses follow DGAM's code, which contains all of them except the clustering loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.head import BackgroundOutput, Head, masked_sigmoid
from clip_ae.localizers.pooling import attention_pool
from clip_ae.losses.background import background_loss
from clip_ae.losses.clustering import clustering_loss
from clip_ae.losses.foreground import foreground_loss
from clip_ae.losses.guide import guide_loss
from clip_ae.losses.smoothing import smooth

HIDDEN_DIM = 256


@dataclass(frozen=True)
class WsalBmOutput(BackgroundOutput):
    """cluster_logits [B, 2, 2]: products of f_fg, f_bg (rows) with the cluster vectors u_fg, u_bg (columns)."""

    cluster_logits: Tensor


class Branch(nn.Module):
    """One stream's attention, classifier and cluster vectors."""

    def __init__(self, dim: int, num_outputs: int) -> None:
        super().__init__()
        self.width = dim
        self.attention = nn.Sequential(nn.Linear(dim, HIDDEN_DIM), nn.ReLU(), nn.Linear(HIDDEN_DIM, 1))
        self.classifier = nn.Linear(dim, num_outputs)
        self.cluster_vectors = nn.Linear(dim, 2, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> WsalBmOutput:
        attention = masked_sigmoid(self.attention(x), mask)
        pooled = [attention_pool(x, a) for a in (attention, (1 - attention) * mask)]
        fg, bg = (self.classifier(f) for f in pooled)
        cluster_logits = self.cluster_vectors(torch.stack(pooled, dim=1))
        return WsalBmOutput(x, self.classifier(x), attention, fg, bg, cluster_logits)


class WsalBm(Head[WsalBmOutput]):
    """Classification of foreground and background, guide loss and clustering."""

    # From DGAM's code for THUMOS14. No code contains the clustering loss: its weight is our choice.
    loss_weights: ClassVar[Mapping[str, float]] = {
        "foreground": 1.0,
        "background": 0.03,
        "guide": 0.1,
        "clustering": 0.1,
    }
    has_background: ClassVar[bool] = True

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs)

    def stream_losses(self, output: WsalBmOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        probabilities = smooth(output.cas.softmax(dim=-1), mask)
        return {
            "foreground": foreground_loss(output.foreground_logits, targets.labels),
            "background": background_loss(output.background_logits),
            "guide": guide_loss(output.attention, probabilities, targets.labels, mask),
            "clustering": clustering_loss(output.cluster_logits),
        }


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> WsalBm:
    return WsalBm(config, dims)
