"""TCAM, temporal co-attention models (Gong et al., CVPR 2020): the network of its released code, with the same sizes.

Each stream, with features x:
    E = ReLU(Conv_k3 Dropout(x))                       256, dropout of whole channels
    H = [N(ReLU(Conv_k1 E)); M(E)],  s = W H + b       128 + 128; M: dilated convolutions, N: non-local block
    a = softmax_t(FC M'(E))
    p = softmax(sum_t a_t s_t)
    loss = CE(p, y) + separation + 0 triplet
Reconstructed: separation and triplet loss, which the released code calls but does not contain (triplet with weight 0).
M' has kernel 3 here; the released code sets 1 and fails with it. Left out: co-attention between videos of a cluster,
and the sampler that looks for pairs of one cluster; batches here contain such pairs by chance only. The width and the
dropout of the run are not used.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.attention import attend
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.head import Curves, Head, StreamOutput
from clip_ae.localizers.pooling import attention_pool
from clip_ae.losses.foreground import foreground_loss
from clip_ae.losses.separation import separation_loss
from clip_ae.losses.triplet import triplet_loss

WIDTH, HALF_WIDTH, NONLOCAL_WIDTH = 256, 128, 64
DROPOUT = 0.5
EPSILON = 1e-12


@dataclass(frozen=True)
class TcamOutput(StreamOutput):
    """hidden [B, T, 256]: H, the input of the classifier."""

    hidden: Tensor


class MultiDilation(nn.Module):
    """M(E): kernel 3 with dilations 1, 2, 3 and kernel 1, each with ReLU, concatenated."""

    def __init__(self) -> None:
        super().__init__()
        dilated = [nn.Conv1d(WIDTH, HALF_WIDTH // 4, 3, padding=d, dilation=d) for d in (1, 2, 3)]
        convolutions = nn.ModuleList([*dilated, nn.Conv1d(WIDTH, HALF_WIDTH // 4, 1)])
        self.convolutions: Iterable[nn.Conv1d] = convolutions  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        rows = x.transpose(1, 2)
        return torch.cat([c(rows).relu() for c in self.convolutions], dim=1).transpose(1, 2)


class NonLocal(nn.Module):
    """N(x) = x + W softmax(theta(x) phi(x)^T) g(x); W is initialised to 0."""

    def __init__(self) -> None:
        super().__init__()
        self.theta, self.phi, self.g = (nn.Linear(HALF_WIDTH, NONLOCAL_WIDTH) for _ in range(3))
        self.output = nn.Linear(NONLOCAL_WIDTH, HALF_WIDTH)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        mixed = attend(self.theta(x), self.phi(x), self.g(x), mask, scale=1.0)
        output: Tensor = x + self.output(mixed)
        return output


class Branch(nn.Module):
    """One stream's embedding, attention and classifier."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.width = WIDTH
        self.dropout = nn.Dropout1d(DROPOUT)
        self.embedding = nn.Conv1d(dim, WIDTH, kernel_size=3, padding=1)
        self.dilated, self.reduction, self.nonlocal_block = MultiDilation(), nn.Linear(WIDTH, HALF_WIDTH), NonLocal()
        self.classifier = nn.Linear(2 * HALF_WIDTH, num_classes)
        self.attention = nn.Sequential(MultiDilation(), nn.Linear(HALF_WIDTH, 1))

    def forward(self, x: Tensor, mask: Tensor) -> TcamOutput:
        real_mask = mask[..., None]
        # Masked, because the next convolutions must read zeros beyond the ends of a video.
        embedding = self.embedding(self.dropout(x.transpose(1, 2))).relu().transpose(1, 2) * real_mask
        nonlocal_features = self.nonlocal_block(self.reduction(embedding).relu(), mask)
        hidden = torch.cat([nonlocal_features, self.dilated(embedding)], dim=-1)
        cas, logits = self.classifier(hidden), self.attention(embedding).squeeze(-1)
        attention = logits.masked_fill(~mask, torch.finfo(logits.dtype).min).softmax(dim=1) * mask
        return TcamOutput(embedding, cas, attention, (attention[..., None] * cas).sum(dim=1), hidden)


class Tcam(Head[TcamOutput]):
    """Video classification, separation and triplet loss."""

    loss_weights: ClassVar[Mapping[str, float]] = {"foreground": 1.0, "separation": 1.0, "triplet": 0.0}
    attention_is_sigmoid: ClassVar[bool] = False

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs)

    def stream_losses(self, output: TcamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        pooled = attention_pool(output.embedding, output.attention)
        return {
            "foreground": foreground_loss(output.foreground_logits, targets.labels),
            "separation": separation_loss(output.cas, output.hidden, targets.labels, mask),
            "triplet": triplet_loss(pooled, targets.labels, mask.any(dim=1)),
        }

    def compute_curves(self, output: TcamOutput, mask: Tensor) -> Curves:
        """As at inference in the released code: each class activation is scaled to 0 ... 1; attention is 1.

        Attention is a softmax over time: it has a peak in the action but does not show its extent.
        """
        real_mask = mask[..., None]
        low = output.cas.masked_fill(~real_mask, torch.inf).amin(dim=1, keepdim=True)
        high = output.cas.masked_fill(~real_mask, -torch.inf).amax(dim=1, keepdim=True)
        activation = ((output.cas - low) / (high - low).clamp(min=EPSILON)).masked_fill(~real_mask, 0.0)
        return Curves(mask.to(activation.dtype), activation, self.class_probabilities(output.foreground_logits))


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> Tcam:
    return Tcam(config, dims)
