"""A stream that prepares frames by a centre crop: the networks of open_clip, timm and torchvision."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.timeline import FrameSampling
from clip_ae.core.types import FrameSize
from clip_ae.encoders.crops import Array, centre_crop_rounded
from clip_ae.encoders.inference import Forward, infer


@dataclass(frozen=True)
class FrameStream:
    """Frames [n, H, W, 3] to features [dim]."""

    forward: Forward
    dim: int
    frame_size: FrameSize
    crop: int
    sampling: FrameSampling
    device: str

    def prepare(self, window: Array) -> Array:
        return centre_crop_rounded(window, self.crop).copy()

    def encode(self, batch: Array) -> NDArray[np.float32]:
        return infer(self.forward, batch, self.device)
