"""Crops of frames and conversion to grey."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]
Frames = TypeVar("Frames", NDArray[Any], Tensor)
# BT.601 luma, as in OpenCV and in video codecs.
LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
# OpenAI's normalisation, which most CLIP weights share; weights with another one state it in their metadata.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def crop_square(frames: Frames, top: int, left: int, size: int) -> Frames:
    """A square of frames [n, H, W, C]: [n, size, size, C]."""
    return frames[:, top : top + size, left : left + size]


def centre_crop(frames: Frames, size: int) -> Frames:
    """The centre square of frames [n, H, W, C]: [n, size, size, C]."""
    height, width = frames.shape[1:3]
    if min(height, width) < size:
        raise ValueError(f"frames of {height}x{width} are smaller than the crop of {size}")
    return crop_square(frames, (height - size) // 2, (width - size) // 2, size)


def centre_crop_rounded(frames: Frames, size: int) -> Frames:
    """As `centre_crop`, but a half pixel is rounded to the even neighbour, as in torchvision, timm and open_clip."""
    height, width = frames.shape[1:3]
    if min(height, width) < size:
        raise ValueError(f"frames of {height}x{width} are smaller than the crop of {size}")
    return crop_square(frames, round((height - size) / 2), round((width - size) / 2), size)


def convert_to_grey(frames: Array) -> NDArray[np.uint8]:
    """RGB [n, H, W, 3] to grey [n, H, W]."""
    luma: NDArray[np.float32] = frames.astype(np.float32) @ LUMA_WEIGHTS
    return np.rint(luma).astype(np.uint8)
