"""The base class of heads with one branch on all streams, concatenated."""

from collections.abc import Mapping

import torch
from torch import Tensor

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import StreamTensors, Targets, common_mask
from clip_ae.localizers.head import Curves, Head, OutputT

BRANCH = "both"


class SharedBranchHead(Head[OutputT]):
    """A head whose branch reads the concatenated streams. A snippet is real if all streams cover it."""

    def __init__(self, config: LocalizerConfig, dims: Mapping[str, int]) -> None:
        super().__init__(config, {BRANCH: sum(dims.values())})
        self.cbp_streams = tuple(dims)

    def forward(self, features: StreamTensors, masks: StreamTensors) -> dict[str, OutputT]:
        """The same output for all streams."""
        mask = common_mask(masks, self.cbp_streams)
        x = torch.cat([features[name] for name in self.cbp_streams], dim=-1) * mask[..., None]
        return dict.fromkeys(self.cbp_streams, self.branches[BRANCH](x, mask))

    def losses(self, outputs: Mapping[str, OutputT], masks: StreamTensors, targets: Targets) -> dict[str, Tensor]:
        return self.stream_losses(outputs[self.cbp_streams[0]], common_mask(masks, self.cbp_streams), targets)

    def fuse(self, outputs: Mapping[str, OutputT], masks: StreamTensors, weights: Mapping[str, float]) -> Curves:
        """The curves of the one branch; the weights of streams have no meaning here."""
        return self.compute_curves(outputs[self.cbp_streams[0]], common_mask(masks, self.cbp_streams))
