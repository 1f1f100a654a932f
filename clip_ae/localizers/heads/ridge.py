"""Ridge regression of snippet labels: a linear classifier in closed form, the linear bound of every table.

All streams concatenated, x = [x_1; x_2; ...]:
    s_t = W x_t + b,   W minimises sum_t |W x_t + b - y_t|^2 + lambda |W|^2
    p_t = s_t clipped to 0 ... 1,   a_t = 1,   video score: the mean of s_t, clipped
Every snippet has the labels of its video; with extents (`supervision: full`) it has those of the actions that it is in.
localizers/ridge.py computes W and lambda.
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.head import StreamOutput
from clip_ae.localizers.shared_branch import SharedBranchHead


class Branch(nn.Module):
    """The linear classifier of snippets."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.width = dim
        self.classifier = nn.Linear(dim, num_classes)

    def forward(self, x: Tensor, mask: Tensor) -> StreamOutput:
        cas: Tensor = self.classifier(x) * mask[..., None]
        mean = cas.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        return StreamOutput(x, cas, mask.to(cas.dtype), mean)


class Ridge(SharedBranchHead[StreamOutput]):
    """A linear classifier without losses: it is not trained by steps."""

    loss_weights: ClassVar[Mapping[str, float]] = {}

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        return {}

    def class_probabilities(self, logits: Tensor) -> Tensor:
        return logits.clamp(0, 1)


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> Ridge:
    return Ridge(config, dims)
