"""Top-k MIL: a linear classifier of snippets, trained by its highest activations. The simplest baseline.

Each stream, with features x:
    s_t = W x_t + b,   v_c = mean of the k highest s_tc over t,   k = max(1, T // 8)
    p   = softmax(v),  a_t = 1
    loss = CE(p, y)
Cross-entropy of a softmax, as in the other heads whose activations are a softmax over classes. With a sum of binary
cross-entropies and sigmoids, as in STPN, average mAP was 30 instead of 47: simulated world with 20 classes and half of
its videos, true labels, one seed, the same 600 steps.
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.head import Head, StreamOutput
from clip_ae.localizers.top_k import top_k_mean
from clip_ae.losses.foreground import foreground_loss

TOP_K_DIVISOR = 8


class Branch(nn.Module):
    """The linear classifier of one stream's snippets."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.width = dim
        self.classifier = nn.Linear(dim, num_classes)

    def forward(self, x: Tensor, mask: Tensor) -> StreamOutput:
        cas = self.classifier(x)
        return StreamOutput(x, cas, mask.to(cas.dtype), top_k_mean(cas, mask, TOP_K_DIVISOR))


class TopkMil(Head[StreamOutput]):
    """Video classification only."""

    loss_weights: ClassVar[Mapping[str, float]] = {"foreground": 1.0}

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        return {"foreground": foreground_loss(output.foreground_logits, targets.labels)}


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> TopkMil:
    return TopkMil(config, dims)
