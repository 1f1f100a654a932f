"""Resizing of generated clips as in extraction, and random augmentation for training."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.encoders.crops import Array, crop_square
from clip_ae.encoders.log_mel import LOG_OFFSET

Rng = np.random.Generator
# Largest distance in pixels of a training crop from the centre.
MAX_CROP_SHIFT = 6


def resize_frames(frames: NDArray[np.uint8], short_side: int) -> NDArray[np.uint8]:
    """Frames resized as by the decoder: the short side becomes `short_side` pixels."""
    import cv2

    height, width = frames.shape[1:3]
    scale = short_side / min(height, width)
    size = (round(width * scale), round(height * scale))
    return np.stack([np.asarray(cv2.resize(f, size, interpolation=cv2.INTER_AREA), np.uint8) for f in frames])


def random_crop(frames: Array, size: int, rng: Rng) -> Array:
    """A random square near the centre; extraction crops the centre."""
    height, width = frames.shape[1:3]
    top, left = _draw_crop_start(height - size, rng), _draw_crop_start(width - size, rng)
    return crop_square(frames, top, left, size)


def random_color_jitter(frames: NDArray[np.uint8], rng: Rng) -> NDArray[np.uint8]:
    """Frames with random brightness and contrast."""
    levels = np.arange(256) * rng.uniform(0.8, 1.2) + rng.uniform(-25, 25)
    jittered: NDArray[np.uint8] = np.clip(levels, 0, 255).astype(np.uint8)[frames]
    return jittered


def random_flip(frames: Array, rng: Rng) -> Array:
    """Frames mirrored left to right, with probability 0.5."""
    return frames[:, :, ::-1] if rng.random() < 0.5 else frames


def random_flip_flow(flow: Array, rng: Rng) -> Array:
    """Flow mirrored left to right, with probability 0.5; its x component changes sign."""
    return flow[:, :, ::-1] * np.array([-1, 1], flow.dtype) if rng.random() < 0.5 else flow


def random_reverse(frames: Array, rng: Rng) -> Array:
    """Frames in reverse order, with probability 0.5: a reversed motion of the generated clips keeps its class."""
    return frames[::-1] if rng.random() < 0.5 else frames


def random_reverse_flow(flow: Array, rng: Rng) -> Array:
    """Flow in reverse order, with probability 0.5; it changes sign."""
    return -flow[::-1] if rng.random() < 0.5 else flow


def random_gain(patch: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """The log-mel patch of the sound with a random gain."""
    mel = np.maximum(np.exp(patch) - LOG_OFFSET, 0)
    return np.log(mel * rng.uniform(0.4, 1.6) + LOG_OFFSET).astype(np.float32)


def _draw_crop_start(slack: int, rng: Rng) -> int:
    """A random start of the crop, at most MAX_CROP_SHIFT pixels from the centred one; `slack` pixels are cut off."""
    return int(np.clip(slack // 2 + rng.integers(-MAX_CROP_SHIFT, MAX_CROP_SHIFT, endpoint=True), 0, slack))
