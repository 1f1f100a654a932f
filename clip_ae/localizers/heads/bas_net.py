"""BaS-Net, background suppression network (Lee et al., AAAI 2020): the network and the losses of its released code.

All cbp streams concatenated, x = [x_1; x_2; ...]:
    a = sigmoid(FC2(LeakyReLU(FC1 x)))                            filter: attention
    f(x) = W Dropout(LeakyReLU(Conv_k3 LeakyReLU(Conv_k3 x)))     T-CAM with a background class, without bias
    base branch f(x), suppressed branch f(a x), with the same weights
    v_c = mean of the k highest activations of class c,  k = max(1, T // 8),  p = softmax(v)
    loss = BCE(p_base, [y; 1] / sum) + BCE(p_suppressed, [y; 0] / sum) + 1.575 mean_t a_t
The code weights ||a||_1 0.0001, of videos resampled to 750 snippets, beside a mean over the 21 classes of THUMOS14.
Here videos have any length, and the loss is a sum over classes: 1.575 is 21 x 750 x 0.0001.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.activation_scaling import scale_activations
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.head import Curves, StreamOutput, masked_sigmoid
from clip_ae.localizers.shared_branch import SharedBranchHead
from clip_ae.localizers.top_k import top_k_mean
from clip_ae.losses.softmax_classification import softmax_classification_loss
from clip_ae.losses.sparsity import mean_attention_loss

FILTER_DIM = 512
TOP_K_DIVISOR = 8


@dataclass(frozen=True)
class BasNetOutput(StreamOutput):
    """base_logits [B, K]: video logits of the base branch; all other fields are of the suppressed branch."""

    base_logits: Tensor


class Branch(nn.Module):
    """The filter, and the classifier that the base and the suppressed branch share."""

    def __init__(self, dim: int, num_outputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.attention = nn.Sequential(nn.Linear(dim, FILTER_DIM), nn.LeakyReLU(), nn.Linear(FILTER_DIM, 1))
        self.first = nn.Conv1d(dim, width, kernel_size=3, padding=1)
        self.second = nn.Conv1d(width, width, kernel_size=3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_outputs, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> BasNetOutput:
        attention = masked_sigmoid(self.attention(x), mask)
        _, base = self._classify(x, mask)
        embedding, suppressed = self._classify(attention[..., None] * x, mask)
        base_logits, logits = (top_k_mean(cas, mask, TOP_K_DIVISOR) for cas in (base, suppressed))
        return BasNetOutput(embedding, suppressed, attention, logits, base_logits)

    def _classify(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding [B, T, width] and T-CAM [B, T, K] of x [B, T, dim], which is 0 where masked."""
        # Masked, because the second convolution must read zeros beyond the ends of a video.
        hidden = F.leaky_relu(self.first(x.transpose(1, 2))) * mask[:, None]
        embedding = F.leaky_relu(self.second(hidden)).transpose(1, 2)
        return embedding, self.classifier(self.dropout(embedding))


class BasNet(SharedBranchHead[BasNetOutput]):
    """Video classification with and without the filter, and a sparse filter."""

    loss_weights: ClassVar[Mapping[str, float]] = {"base": 1.0, "suppressed": 1.0, "sparsity": 1.575}
    has_background: ClassVar[bool] = True

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs, config.width, config.dropout)

    def stream_losses(self, output: BasNetOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        with_background, without = (F.pad(targets.labels, (0, 1), value=label) for label in (1.0, 0.0))
        return {
            "base": softmax_classification_loss(output.base_logits, with_background),
            "suppressed": softmax_classification_loss(output.foreground_logits, without),
            "sparsity": mean_attention_loss(output.attention, mask),
        }

    def compute_curves(self, output: BasNetOutput, mask: Tensor) -> Curves:
        activation = scale_activations(output.cas[..., :-1], mask)
        return Curves(output.attention, activation, self.class_probabilities(output.foreground_logits))


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> BasNet:
    return BasNet(config, dims)
