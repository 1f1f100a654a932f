"""The last Inception modules of an I3D, to be trained on what they read: the layers before them are frozen, so their
output is computed once.

BatchNorm stays as it was, its scales and shifts included: the few videos of a training are no measure of the world.
"""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clip_ae.core.config.feature_adapters import I3dFinetuning
from clip_ae.core.config.schema import I3dOptions
from clip_ae.encoders.networks.i3d import I3d, build

Shape = tuple[int, ...]
# A fifth faster on a CPU at the published size.
CHANNELS_LAST = torch.channels_last_3d


def compute_trunk_shape(options: I3dOptions, num_blocks: int, num_frames: int) -> Shape:
    """[channels, T, H, W] of what the last blocks read of a snippet."""
    with torch.device("meta"):
        trunk, _ = build(options).eval().split_blocks(num_blocks)
        return tuple(trunk(torch.empty(1, options.channels, num_frames, options.crop, options.crop)).shape[1:])


class TunedBlocks(nn.Module):
    """Rows of what they read [N, channels T H W] to features [N, dim]."""

    def __init__(self, network: I3d, shape: Shape, tuning: I3dFinetuning) -> None:
        super().__init__()
        self.layers, self.shape = network.split_blocks(tuning.blocks)[1], shape
        self.precision, self.activation_checkpointing = tuning.precision, tuning.activation_checkpointing
        self.layers.to(memory_format=CHANNELS_LAST)  # type: ignore[call-overload]
        for layer in self.layers.modules():
            if isinstance(layer, nn.BatchNorm3d):
                layer.eval().requires_grad_(False)

    def forward(self, rows: Tensor) -> Tensor:
        x = rows.view(len(rows), *self.shape).contiguous(memory_format=CHANNELS_LAST)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            for layer in self.layers:
                x = checkpoint(layer, x, use_reentrant=False) if self.activation_checkpointing else layer(x)
        return x.float().mean(dim=(2, 3, 4))
