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

from clip_ae.core.config.methods import Blueprint
from clip_ae.localizers.batch import Truth
from clip_ae.localizers.head import Head, StreamOutput, attention_of
from clip_ae.localizers.pooling import attention_pool
from clip_ae.losses.background import background
from clip_ae.losses.clustering import clustering
from clip_ae.losses.foreground import foreground
from clip_ae.losses.guide import guide
from clip_ae.losses.smoothing import smooth

HIDDEN = 256


@dataclass(frozen=True, kw_only=True)
class WsalBmOutput(StreamOutput):
    """sides [B, 2, 2]: how well f_fg and f_bg (rows) go with u_fg and u_bg (columns)."""

    sides: Tensor


class Branch(nn.Module):
    def __init__(self, dim: int, outputs: int) -> None:
        super().__init__()
        self.width = dim
        self.attention = nn.Sequential(nn.Linear(dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
        self.classifier = nn.Linear(dim, outputs)
        self.sides = nn.Linear(dim, 2, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> WsalBmOutput:
        attention = attention_of(self.attention(x), mask)
        pooled = [attention_pool(x, a) for a in (attention, (1 - attention) * mask)]
        fg, bg = (self.classifier(f) for f in pooled)
        sides = self.sides(torch.stack(pooled, dim=1))
        return WsalBmOutput(x, self.classifier(x), attention, fg, bg, sides=sides)


class WsalBm(Head):
    # DGAM's for THUMOS14. No code has the clustering, so its weight is ours.
    loss_weights: ClassVar[Mapping[str, float]] = {
        "foreground": 1.0,
        "background": 0.03,
        "guide": 0.1,
        "clustering": 0.1,
    }
    has_background: ClassVar[bool] = True

    def branch(self, dim: int, outputs: int, blueprint: Blueprint) -> Branch:
        return Branch(dim, outputs)

    def stream_losses(self, output: StreamOutput, mask: Tensor, truth: Truth) -> dict[str, Tensor]:
        assert isinstance(output, WsalBmOutput)
        assert output.background is not None
        share = smooth(output.cas.softmax(dim=-1), mask)
        return {
            "foreground": foreground(output.foreground, truth.labels),
            "background": background(output.background),
            "guide": guide(output.attention, share, truth.labels, mask),
            "clustering": clustering(output.sides),
        }


def build(blueprint: Blueprint, dims: Mapping[str, int]) -> WsalBm:
    return WsalBm(blueprint, dims)
