"""The oracle: a head trained on the annotated extents. It measures the upper bound of features and proposals.

All streams concatenated, x = [x_1; x_2; ...]:
    E = ReLU(Conv_k3 x),  s = W Dropout(E) + b
    v_c = mean of the k highest s_tc over t,   k = max(1, T // 3)
    loss = extent loss: the squared error of s
    p_t = s_t clipped to 0 ... 1,   a_t = 1,   video score: v_c, clipped
Squared errors, as in ridge regression, keep s in proportion to what a snippet shows of the action. Binary cross-entropy
with a sigmoid gives snippets near the borders of an action a hundredth of the value of those in its middle, on videos
that were not trained on; no share of the maximum cuts both. See "The oracle has squared errors" in docs/decisions.md.
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.embedding import Embedding
from clip_ae.localizers.head import StreamOutput
from clip_ae.localizers.shared_branch import SharedBranchHead
from clip_ae.localizers.top_k import top_k_mean
from clip_ae.losses.extent import extent_loss

TOP_K_DIVISOR = 3


class Branch(nn.Module):
    """Embedding and classifier of snippets."""

    def __init__(self, dim: int, num_classes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.embedding, self.dropout = Embedding(dim, width), nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x: Tensor, mask: Tensor) -> StreamOutput:
        embedding = self.embedding(x)
        cas = self.classifier(self.dropout(embedding))
        return StreamOutput(embedding, cas, mask.to(cas.dtype), top_k_mean(cas, mask, TOP_K_DIVISOR))


class Oracle(SharedBranchHead[StreamOutput]):
    """One loss, on snippet labels."""

    loss_weights: ClassVar[Mapping[str, float]] = {"extent": 1.0}

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs, config.width, config.dropout)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        if targets.snippet_labels is None:
            raise ValueError("the oracle needs snippet labels: give TargetBuilder a grid")
        return {"extent": extent_loss(output.cas, targets.snippet_labels, mask)}

    def class_probabilities(self, logits: Tensor) -> Tensor:
        return logits.clamp(0, 1)


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> Oracle:
    return Oracle(config, dims)
