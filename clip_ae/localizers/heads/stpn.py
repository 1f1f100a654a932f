"""STPN, sparse temporal pooling network (Nguyen et al., CVPR 2018), rgb and flow side by side.

Each stream, with features x_t:
    a_t = sigmoid(FC2(ReLU(FC1 x_t)))        attention
    s_t = W x_t                              temporal class activation (T-CAM)
    v   = mean_t a_t x_t,  p = sigmoid(W v)  video score
    loss = BCE(p, y) + beta ||a||_1
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from clip_ae.localizers.head import Curves, Head, HeadOutput, Tensors
from clip_ae.losses.classification import classification
from clip_ae.losses.sparsity import sparsity

HIDDEN = 256


class Stream(nn.Module):
    """One stream's attention and classifier."""

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.Linear(dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
        # No bias: then a video's logit is the mean of its attended activations.
        self.classifier = nn.Linear(dim, classes, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # Padding may hold anything, even nan, which 0 * nan would let through.
        x = x.masked_fill(~mask[..., None], 0.0)
        attention = self.attention(x).squeeze(-1).sigmoid() * mask
        pooled = (attention[..., None] * x).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        return self.classifier(x), attention, self.classifier(pooled)


class Stpn(Head):
    loss_weights: ClassVar[Mapping[str, float]] = {"classification": 1.0, "sparsity": 1e-4}

    def __init__(self, dims: Mapping[str, int], classes: int) -> None:
        super().__init__()
        self.streams = nn.ModuleDict({name: Stream(dim, classes) for name, dim in dims.items()})

    def forward(self, features: Tensors, mask: Tensors) -> HeadOutput:
        outputs = {name: stream(features[name], mask[name]) for name, stream in self.streams.items()}
        cas, attention, video = ({name: output[k] for name, output in outputs.items()} for k in range(3))
        return HeadOutput(cas, attention, video)

    def losses(self, output: HeadOutput, mask: Tensors, labels: Tensor) -> dict[str, Tensor]:
        """Summed over the streams: they share nothing, so each trains as if alone."""
        return {
            "classification": _sum(classification(video, labels) for video in output.video.values()),
            "sparsity": _sum(sparsity(a, mask[name]) for name, a in output.attention.items()),
        }

    def fuse(self, output: HeadOutput, rgb_weight: float) -> Curves:
        """Weighted means over the streams. Attention times activation is then the weighted T-CAM."""

        def mean(values: Tensors) -> Tensor:
            return rgb_weight * values["rgb"] + (1 - rgb_weight) * values["flow"]

        activation = mean({name: cas.sigmoid() for name, cas in output.cas.items()})
        scores = mean({name: video.sigmoid() for name, video in output.video.items()})
        return Curves(mean(output.attention), activation, scores)


def build(dims: Mapping[str, int], classes: int) -> Stpn:
    return Stpn(dims, classes)


def _sum(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).sum()
