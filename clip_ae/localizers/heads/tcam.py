"""TCAM, temporal co-attention models (Gong et al., CVPR 2020): the network of its released code, its sizes too.

Each stream, with features x:
    E = ReLU(Conv_k3 Dropout(x))                       256, dropout of whole channels
    H = [N(ReLU(Conv_k1 E)); M(E)],  s = W H + b       128 + 128; M: dilated convolutions, N: non-local block
    a = softmax_t(FC M'(E))
    p = softmax(sum_t a_t s_t)
    loss = CE(p, y) + separation + 0 triplet
Reconstructed: both extra losses, which the release calls but lacks (triplet with weight 0). M' has kernel 3 here; the
release sets 1, with which its own code fails. Left out: co-attention between videos of a cluster, and the sampler that
seeks pairs of one cluster: a batch has the pairs it has. Its sizes stand whatever the run's width and dropout.
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


@dataclass(frozen=True, kw_only=True)
class TcamOutput(StreamOutput):
    """fused [B, T, 256]: H, what the classifier sees."""

    hidden: Tensor


class MultiDilation(nn.Module):
    """M(E): kernel 3 with dilations 1, 2, 3 and kernel 1, ReLU, side by side."""

    def __init__(self) -> None:
        super().__init__()
        dilated = [nn.Conv1d(WIDTH, HALF_WIDTH // 4, 3, padding=d, dilation=d) for d in (1, 2, 3)]
        convolutions = nn.ModuleList([*dilated, nn.Conv1d(WIDTH, HALF_WIDTH // 4, 1)])
        self.convolutions: Iterable[nn.Conv1d] = convolutions  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        rows = x.transpose(1, 2)
        return torch.cat([c(rows).relu() for c in self.convolutions], dim=1).transpose(1, 2)


class NonLocal(nn.Module):
    """N(x) = x + W softmax(theta(x) phi(x)^T) g(x), W zero at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.theta, self.phi, self.g = (nn.Linear(HALF_WIDTH, NONLOCAL_WIDTH) for _ in range(3))
        self.output = nn.Linear(NONLOCAL_WIDTH, HALF_WIDTH)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        mixed = attend(self.theta(x), self.phi(x), self.g(x), mask, scale=1.0)
        found: Tensor = x + self.output(mixed)
        return found


class Branch(nn.Module):
    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.width = WIDTH
        self.dropout = nn.Dropout1d(DROPOUT)
        self.embedding = nn.Conv1d(dim, WIDTH, kernel_size=3, padding=1)
        self.dilated, self.reduction, self.nonlocal_block = MultiDilation(), nn.Linear(WIDTH, HALF_WIDTH), NonLocal()
        self.classifier = nn.Linear(2 * HALF_WIDTH, num_classes)
        self.attention = nn.Sequential(MultiDilation(), nn.Linear(HALF_WIDTH, 1))

    def forward(self, x: Tensor, mask: Tensor) -> TcamOutput:
        real = mask[..., None]
        # The next convolution must see nothing beyond a video's ends.
        embedding = self.embedding(self.dropout(x.transpose(1, 2))).relu().transpose(1, 2) * real
        far = self.nonlocal_block(self.reduction(embedding).relu(), mask)
        fused = torch.cat([far, self.dilated(embedding)], dim=-1)
        cas, logits = self.classifier(fused), self.attention(embedding).squeeze(-1)
        attention = logits.masked_fill(~mask, torch.finfo(logits.dtype).min).softmax(dim=1) * mask
        return TcamOutput(embedding, cas, attention, (attention[..., None] * cas).sum(dim=1), hidden=fused)


class Tcam(Head):
    loss_weights: ClassVar[Mapping[str, float]] = {"foreground": 1.0, "separation": 1.0, "triplet": 0.0}

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        assert isinstance(output, TcamOutput)
        pooled = attention_pool(output.embedding, output.attention)
        return {
            "foreground": foreground_loss(output.foreground_logits, targets.labels),
            "separation": separation_loss(output.cas, output.hidden, targets.labels, mask),
            "triplet": triplet_loss(pooled, targets.labels, mask.any(dim=1)),
        }

    def compute_curves(self, output: StreamOutput, mask: Tensor) -> Curves:
        """As its inference has them: activation from 0 to 1 within each class, and no part for attention.

        A softmax over time says where to look first, not how far an action reaches.
        """
        real = mask[..., None]
        low = output.cas.masked_fill(~real, torch.inf).amin(dim=1, keepdim=True)
        high = output.cas.masked_fill(~real, -torch.inf).amax(dim=1, keepdim=True)
        activation = ((output.cas - low) / (high - low).clamp(min=EPSILON)).masked_fill(~real, 0.0)
        return Curves(mask.to(activation.dtype), activation, self.class_probabilities(output.foreground_logits))


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> Tcam:
    return Tcam(config, dims)
