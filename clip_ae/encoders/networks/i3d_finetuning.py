"""The last Inception modules of an I3D, for fine-tuning. The layers before them are frozen and run once per snippet.

BatchNorm stays frozen, with its scales and shifts: the few training videos would give poor statistics.
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
    """Shape [channels, T, H, W] of the input of the last `num_blocks` modules, for a snippet of `num_frames` frames."""
    with torch.device("meta"):
        trunk, _ = build(options).eval().split_blocks(num_blocks)
        return tuple(trunk(torch.empty(1, options.channels, num_frames, options.crop, options.crop)).shape[1:])


class TunedBlocks(nn.Module):
    """The last Inception modules: flattened inputs [N, channels * T * H * W] to features [N, dim]."""

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
