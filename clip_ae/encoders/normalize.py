"""Network inputs from batches of frames and flows, computed on the network's device."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# Frames uint8 [B, n + 1, H, W, 3] to flow float32 [B, n, H, W, 2]: (x, y) in pixels, from each frame to the next.
FlowFunction = Callable[[Tensor], Tensor]
# Scaling of a pixel x for I3D and RAFT, as text for the metadata of network files.
RGB_SCALING = "x / 255 * 2 - 1"


def normalize_rgb(frames: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Input of the RGB I3D: uint8 [B, T, H, W, 3] to [B, 3, T, H, W] in -1..1."""
    # Subtract 127.5 before dividing: the difference is exact in bf16, so only the division rounds.
    return _move_channels_first(frames.to(dtype).sub_(127.5).div_(127.5))


def normalize_flow(flow: Tensor, clip_value: float, dtype: torch.dtype = torch.float32) -> Tensor:
    """Input of the flow I3D: flow [B, T, H, W, 2] in pixels, clipped to +-clip_value, to [B, 2, T, H, W] in -1..1."""
    return _move_channels_first(flow.clamp(-clip_value, clip_value).div_(clip_value).to(dtype))


def normalize_images(
    frames: Tensor, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype = torch.float32
) -> Tensor:
    """Input of an image network: uint8 [B, n, H, W, 3] to [B * n, 3, H, W], normalised by mean and std."""
    images = frames.flatten(0, 1).permute(0, 3, 1, 2).float().div_(255)
    shape = (1, 3, 1, 1)
    mean_tensor, std_tensor = (torch.tensor(values, device=frames.device).view(shape) for values in (mean, std))
    return images.sub_(mean_tensor).div_(std_tensor).to(dtype)


def _move_channels_first(x: Tensor) -> Tensor:
    """A view [B, C, T, H, W]. Its memory stays channels-last, the fastest layout on CPUs and tensor cores."""
    return x.permute(0, 4, 1, 2, 3)
