"""A head after APSL (Inf. Sci. 630, 2023), not APSL itself: reconstructed from little more than its title.

TSCN's network on all cbp streams concatenated, x = [x_rgb; x_flow; ...], and a contrast of actions and backgrounds
between the videos of a cluster:
    loss = CE + 0.1 norm + 0.05 contrast
Snippets that are neither action nor background are not used in the contrast. Confidence is low.
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Targets
from clip_ae.localizers.head import StreamOutput
from clip_ae.localizers.heads.tscn import Branch
from clip_ae.localizers.shared_branch import SharedBranchHead
from clip_ae.losses.contrastive_loss import contrastive_loss
from clip_ae.losses.foreground import foreground_loss
from clip_ae.losses.norm import attention_norm_loss


class ApslReconstructed(SharedBranchHead[StreamOutput]):
    """Video classification, attention normalization and contrast."""

    loss_weights: ClassVar[Mapping[str, float]] = {"foreground": 1.0, "norm": 0.1, "contrast": 0.05}

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs, config.width, config.dropout)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        return {
            "foreground": foreground_loss(output.foreground_logits, targets.labels),
            "norm": attention_norm_loss(output.attention, mask),
            "contrast": contrastive_loss(output.embedding, output.attention, targets.labels, mask),
        }


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> ApslReconstructed:
    return ApslReconstructed(config, dims)
