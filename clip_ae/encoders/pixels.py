"""Frames to what networks read: crops, value ranges, grey images. Numpy only."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Flow = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]
# BT.601 luma, as OpenCV's and every video's grey.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# OpenAI's normalisation, which most CLIPs share; weights that differ carry their own.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def crop_at(frames: Array, top: int, left: int, size: int) -> Array:
    """A square of [n, H, W, C]."""
    return frames[:, top : top + size, left : left + size]


def centre_crop(frames: Array, size: int) -> Array:
    height, width = frames.shape[1:3]
    if min(height, width) < size:
        raise ValueError(f"frames of {height}x{width} are smaller than the crop of {size}")
    return crop_at(frames, (height - size) // 2, (width - size) // 2, size)


def grey(frames: Array) -> NDArray[np.uint8]:
    """[n, H, W, 3] RGB to [n, H, W]."""
    luma: NDArray[np.float32] = frames.astype(np.float32) @ LUMA
    return np.rint(luma).astype(np.uint8)


def rgb_input(frames: Array) -> NDArray[np.float32]:
    """I3D's RGB: [T, H, W, 3] in 0..255 to [3, T, H, W] in -1..1."""
    return _channels_first(frames.astype(np.float32) / 255 * 2 - 1)


def flow_between(frames: Array, flow: Flow) -> NDArray[np.float32]:
    """[n + 1, H, W, 3] frames to the n flows [n, H, W, 2] from each to its next."""
    greys = grey(frames)
    return np.stack([flow(first, second) for first, second in pairwise(greys)])


def flow_input(flow: NDArray[np.float32], bound: float) -> NDArray[np.float32]:
    """I3D's flow: [T, H, W, 2] pixels a frame to [2, T, H, W] in -1..1."""
    return _channels_first(np.clip(flow, -bound, bound) / bound)


def clip_input(frames: Array, mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    """CLIP's images: [n, H, W, 3] in 0..255 to [n, 3, H, W], normalised."""
    normal = (frames.astype(np.float32) / 255 - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return np.ascontiguousarray(normal.transpose(0, 3, 1, 2))


def evenly_placed(frames: Array, count: int) -> Array:
    """`count` frames, each from the middle of its share: 2, 6, 10, 14 of 16."""
    return frames[[(2 * i + 1) * len(frames) // (2 * count) for i in range(count)]]


def _channels_first(frames: Array) -> NDArray[np.float32]:
    return np.ascontiguousarray(frames.transpose(3, 0, 1, 2), np.float32)
