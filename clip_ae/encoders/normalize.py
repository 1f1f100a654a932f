"""What networks read, made from batches of frames and flows where the network runs."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# Frames uint8 [B, n + 1, H, W, 3] to flow float32 [B, n, H, W, 2]: pixels a frame as (x, y), from each to its next.
FlowFunction = Callable[[Tensor], Tensor]
# What becomes of a pixel x on its way into I3D and RAFT, in words.
RGB_SCALING = "x / 255 * 2 - 1"


def normalize_rgb(frames: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """I3D's RGB: uint8 [B, T, H, W, 3] to [B, 3, T, H, W] in -1..1."""
    # Less its middle first: a pixel is still exact in bf16 then, and is rounded only once.
    return _channels_first(frames.to(dtype).sub_(127.5).div_(127.5))


def normalize_flow(flow: Tensor, clip_value: float, dtype: torch.dtype = torch.float32) -> Tensor:
    """I3D's flow: [B, T, H, W, 2] pixels a frame to [B, 2, T, H, W] in -1..1."""
    return _channels_first(flow.clamp(-clip_value, clip_value).div_(clip_value).to(dtype))


def normalize_clip(
    frames: Tensor, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype = torch.float32
) -> Tensor:
    """CLIP's images: uint8 [B, n, H, W, 3] to [B * n, 3, H, W], normalised."""
    images = frames.flatten(0, 1).permute(0, 3, 1, 2).float().div_(255)
    shape = (1, 3, 1, 1)
    mean_, std_ = (torch.tensor(values, device=frames.device).view(shape) for values in (mean, std))
    return images.sub_(mean_).div_(std_).to(dtype)


def _channels_first(x: Tensor) -> Tensor:
    """A view: its memory is channels-last, which convolutions on CPUs and tensor cores read fastest."""
    return x.permute(0, 4, 1, 2, 3)
