"""A head after APSL (Inf. Sci. 630, 2023), not APSL itself: reconstructed from little more than its title.

TSCN's network on all cbp streams concatenated, x = [x_rgb; x_flow; ...], and a contrast of actions and backgrounds
between the videos of a cluster:
    loss = CE + 0.1 norm + 0.05 contrast
Snippets that are neither action nor background are not used in the contrast. Confidence is low.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import StreamTensors, Targets, common_mask
from clip_ae.localizers.head import Curves, Head, StreamOutput
from clip_ae.localizers.heads.tscn import Branch
from clip_ae.losses.contrastive_loss import contrastive_loss
from clip_ae.losses.foreground import foreground_loss
from clip_ae.losses.norm import attention_norm_loss


class ApslReconstructed(Head[StreamOutput]):
    """One branch for all streams."""

    loss_weights: ClassVar[Mapping[str, float]] = {"foreground": 1.0, "norm": 0.1, "contrast": 0.05}

    def __init__(self, config: LocalizerConfig, dims: Mapping[str, int]) -> None:
        super().__init__(config, {"both": sum(dims.values())})
        self.cbp_streams = tuple(dims)

    def build_branch(self, dim: int, num_outputs: int, config: LocalizerConfig) -> Branch:
        return Branch(dim, num_outputs, config.width, config.dropout)

    def forward(self, features: StreamTensors, masks: StreamTensors) -> dict[str, StreamOutput]:
        """The same output for all streams. A snippet is real if all streams cover it."""
        mask = self._common_mask(masks)
        x = torch.cat([features[name] for name in self.cbp_streams], dim=-1) * mask[..., None]
        return dict.fromkeys(self.cbp_streams, self.branches["both"](x, mask))

    def losses(self, outputs: Mapping[str, StreamOutput], masks: StreamTensors, targets: Targets) -> dict[str, Tensor]:
        return self.stream_losses(outputs[self.cbp_streams[0]], self._common_mask(masks), targets)

    def stream_losses(self, output: StreamOutput, mask: Tensor, targets: Targets) -> dict[str, Tensor]:
        return {
            "foreground": foreground_loss(output.foreground_logits, targets.labels),
            "norm": attention_norm_loss(output.attention, mask),
            "contrast": contrastive_loss(output.embedding, output.attention, targets.labels, mask),
        }

    def fuse(self, outputs: Mapping[str, StreamOutput], masks: StreamTensors, weights: Mapping[str, float]) -> Curves:
        return self.compute_curves(outputs[self.cbp_streams[0]], self._common_mask(masks))

    def _common_mask(self, masks: StreamTensors) -> Tensor:
        return common_mask(masks, self.cbp_streams)


def build(config: LocalizerConfig, dims: Mapping[str, int]) -> ApslReconstructed:
    return ApslReconstructed(config, dims)
