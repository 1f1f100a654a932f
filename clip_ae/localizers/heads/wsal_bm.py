"""WSAL-BM, weakly supervised localization with background modeling (Nguyen, Ramanan, Fowlkes, ICCV 2019).

Each stream, with features x:
    a = sigmoid(FC2(ReLU(FC1 x))),  s = W x + b    with a background class
    f_fg = sum a x / sum a,  f_bg = sum (1 - a) x / sum (1 - a),  both classified by W
    loss = foreground + background + guide (by s smoothed along time) + clustering, weighted
There is no code of its own; the losses are those of DGAM's, which has all but the clustering.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.head import Head, StreamOutput, masked_sigmoid
from clip_ae.localizers.pooling import attention_pool
from clip_ae.losses.background import background_loss
from clip_ae.losses.clustering import clustering_loss
from clip_ae.losses.foreground import foreground_loss
from clip_ae.losses.guide import guide_loss
from clip_ae.losses.smoothing import smooth

HIDDEN_DIM = 256


@dataclass(frozen=True, kw_only=True)
class WsalBmOutput(StreamOutput):
    """sides [B, 2, 2]: how well f_fg and f_bg (rows) go with u_fg and u_bg (columns)."""

    cluster_logits: Tensor


class Branch(nn.Module):
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
        sides = self.cluster_vectors(torch.stack(pooled, dim=1))
        return WsalBmOutput(x, self.classifier(x), attention, fg, bg, cluster_logits=sides)


class WsalBm(Head):
    # DGAM's for THUMOS14. No code has the clustering, so its weight is ours.
    loss_weights: ClassVar[Mapping[str, float]] = {
        "foreground": 1.0,
        "background": 0.03,
        "guide": 0.1,
        "clustering": 0.1,
    }
    has_background: ClassVar[bool] = True

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        assert isinstance(output, WsalBmOutput)
        assert output.background_logits is not None
        share = smooth(output.cas.softmax(dim=-1), mask)
        return {
            "foreground": foreground_loss(output.foreground_logits, targets.labels),
            "background": background_loss(output.background_logits),
            "guide": guide_loss(output.attention, share, targets.labels, mask),
            "clustering": clustering_loss(output.cluster_logits),
        }


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> WsalBm:
    return WsalBm(config, dims)
