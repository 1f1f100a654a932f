"""Clips as the streams prepare them, and as training varies them."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.encoders.crops import Array, crop_square
from clip_ae.encoders.log_mel import LOG_OFFSET

Rng = np.random.Generator
# Pixels by which a crop for training may be off the centre.
MAX_CROP_SHIFT = 6


def resize_frames(frames: NDArray[np.uint8], short_side: int) -> NDArray[np.uint8]:
    """Frames as a decoder delivers them: the short side at `short_side` pixels."""
    import cv2

    height, width = frames.shape[1:3]
    scale = short_side / min(height, width)
    size = (round(width * scale), round(height * scale))
    return np.stack([np.asarray(cv2.resize(f, size, interpolation=cv2.INTER_AREA), np.uint8) for f in frames])


def random_crop(frames: Array, size: int, rng: Rng) -> Array:
    """A square not far from the centre, where extraction looks."""
    height, width = frames.shape[1:3]
    return crop_square(frames, _near_middle(height - size, rng), _near_middle(width - size, rng), size)


def random_color_jitter(frames: NDArray[np.uint8], rng: Rng) -> NDArray[np.uint8]:
    """Another brightness and contrast."""
    levels = np.arange(256) * rng.uniform(0.8, 1.2) + rng.uniform(-25, 25)
    lit: NDArray[np.uint8] = np.clip(levels, 0, 255).astype(np.uint8)[frames]
    return lit


def random_flip(frames: Array, rng: Rng) -> Array:
    """Left and right swapped, half of the time."""
    return frames[:, :, ::-1] if rng.random() < 0.5 else frames


def random_flip_flow(flow: Array, rng: Rng) -> Array:
    """A mirrored flow also runs the other way."""
    return flow[:, :, ::-1] * np.array([-1, 1], flow.dtype) if rng.random() < 0.5 else flow


def random_reverse(frames: Array, rng: Rng) -> Array:
    """Backwards, half of the time: every motion of the world runs both ways."""
    return frames[::-1] if rng.random() < 0.5 else frames


def random_reverse_flow(flow: Array, rng: Rng) -> Array:
    """Backwards in time, a flow also runs the other way."""
    return -flow[::-1] if rng.random() < 0.5 else flow


def random_gain(patch: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """The log-mel patch of the sound at another loudness."""
    mel = np.maximum(np.exp(patch) - LOG_OFFSET, 0)
    return np.log(mel * rng.uniform(0.4, 1.6) + LOG_OFFSET).astype(np.float32)


def _near_middle(slack: int, rng: Rng) -> int:
    """A random start that leaves at most ROAM pixels more on one side than centring would."""
    return int(np.clip(slack // 2 + rng.integers(-MAX_CROP_SHIFT, MAX_CROP_SHIFT, endpoint=True), 0, slack))
