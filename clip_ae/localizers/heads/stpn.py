"""STPN, sparse temporal pooling network (Nguyen et al., CVPR 2018), with a branch for each cbp stream.

Each stream, with features x_t:
    a_t = sigmoid(FC2(ReLU(FC1 x_t)))        attention
    s_t = W x_t                              temporal class activation (T-CAM)
    v   = mean_t a_t x_t,  p = sigmoid(W v)  video score
    loss = BCE(p, y) + beta ||a||_1
The published beta of 1e-4 is for a BCE that is a mean over THUMOS14's 20 classes; here BCE is a sum, so it is 2e-3.
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.head import Head, StreamOutput, masked_sigmoid
from clip_ae.losses.classification import classification_loss
from clip_ae.losses.sparsity import sparsity_loss

HIDDEN_DIM = 256


class Branch(nn.Module):
    """One stream's attention and classifier."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.width = dim
        self.attention = nn.Sequential(nn.Linear(dim, HIDDEN_DIM), nn.ReLU(), nn.Linear(HIDDEN_DIM, 1))
        # Without bias, a video's logit is the mean of its activations weighted by attention.
        self.classifier = nn.Linear(dim, num_classes, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> StreamOutput:
        attention = masked_sigmoid(self.attention(x), mask)
        pooled = (attention[..., None] * x).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        return StreamOutput(x, self.classifier(x), attention, self.classifier(pooled))


class Stpn(Head[StreamOutput]):
    """Video classification and sparse attention."""

    loss_weights: ClassVar[Mapping[str, float]] = {"classification": 1.0, "sparsity": 2e-3}

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        return {
            "classification": classification_loss(output.foreground_logits, targets.labels),
            "sparsity": sparsity_loss(output.attention, mask),
        }

    def class_probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> Stpn:
    return Stpn(config, dims)
