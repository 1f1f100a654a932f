"""CoLA, snippet contrastive learning (Zhang et al., CVPR 2021): the network and the losses of its released code.

All cbp streams concatenated, x = [x_1; x_2; ...]:
    E = ReLU(Conv_k3 x),  s = ReLU(W Dropout(E))       T-CAM, without bias
    A_t = sum_c s_tc                                   actionness
    v_c = mean of the k highest s_tc over t,  k = max(1, T // 5)
    p = softmax(v)
    loss = BCE(p, y / sum y) + 0.2 SniCo(E, A)
In training, easy snippets are taken from a random 40 % of the snippets.
The code weights SniCo 0.01 beside a mean over the 20 classes of THUMOS14; beside our sum that is 20 x 0.01. A video
whose actions have no edge snippets has no hard snippets; the code takes any others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.activation_scaling import scale_activations
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.embedding import Embedding
from clip_ae.localizers.head import Curves, StreamOutput
from clip_ae.localizers.shared_branch import SharedBranchHead
from clip_ae.localizers.top_k import top_k_mean
from clip_ae.losses.snippet_contrast import snippet_contrast_loss
from clip_ae.losses.softmax_classification import softmax_classification_loss

TOP_K_DIVISOR = 5
CANDIDATE_DROPOUT = 0.6
EPSILON = 1e-12


@dataclass(frozen=True)
class ColaOutput(StreamOutput):
    """actionness [B, T] >= 0, 0 where masked; easy_candidates [B, T] in {0, 1}: see snippet_contrast_loss.

    attention is the actionness divided by its maximum in the video: segments are cut from both.
    """

    actionness: Tensor
    easy_candidates: Tensor


class Branch(nn.Module):
    """The embedding and the classifier of all streams."""

    def __init__(self, dim: int, num_outputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.embedding, self.dropout = Embedding(dim, width), nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_outputs, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> ColaOutput:
        embedding = self.embedding(x)
        cas = self.classifier(self.dropout(embedding)).relu()
        actionness = cas.sum(dim=-1) * mask
        attention = actionness / actionness.amax(dim=1, keepdim=True).clamp(min=EPSILON)
        candidates = (F.dropout(mask.float(), CANDIDATE_DROPOUT, self.training) > 0).to(cas.dtype)
        return ColaOutput(embedding, cas, attention, top_k_mean(cas, mask, TOP_K_DIVISOR), actionness, candidates)


class Cola(SharedBranchHead[ColaOutput]):
    """Video classification and snippet contrast."""

    loss_weights: ClassVar[Mapping[str, float]] = {"classification": 1.0, "snippet_contrast": 0.2}
    attention_is_sigmoid: ClassVar[bool] = False

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs, config.width, config.dropout)

    def stream_losses(self, output: ColaOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        contrast = snippet_contrast_loss(output.embedding, output.actionness, output.easy_candidates, mask)
        return {
            "classification": softmax_classification_loss(output.foreground_logits, targets.labels),
            "snippet_contrast": contrast,
        }

    def compute_curves(self, output: ColaOutput, mask: Tensor) -> Curves:
        activation = scale_activations(output.cas, mask)
        return Curves(output.attention, activation, self.class_probabilities(output.foreground_logits))


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> Cola:
    return Cola(config, dims)
