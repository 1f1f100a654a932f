"""The i3d encoder: I3D features of a snippet's frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.config.streams import I3dEncoder
from clip_ae.core.timeline import SNIPPET_FRAMES, FrameSampling
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.crops import Array, centre_crop
from clip_ae.encoders.i3d_features import build_features
from clip_ae.encoders.inference import Forward, infer, network_dtype
from clip_ae.encoders.normalize import normalize_rgb

# Libraries whose versions the features' provenance states, in addition to torch and av.
LIBRARIES: tuple[str, ...] = ()


@dataclass(frozen=True)
class I3dStream:
    """Frames [T, H, W, 3] to features [dim]."""

    forward: Forward
    dim: int
    frame_size: int
    crop: int
    device: str
    sampling: FrameSampling = SNIPPET_FRAMES

    def prepare(self, window: Array) -> Array:
        return centre_crop(window, self.crop).copy()

    def encode(self, batch: Array) -> NDArray[np.float32]:
        return infer(self.forward, batch, self.device)


def build_stream(
    encoder: I3dEncoder, networks: Sequence[NetworkWeights], device: str, skip_last_blocks: int = 0
) -> I3dStream:
    """The stream with these weights. With `skip_last_blocks`, a feature is the input of the last Inception modules."""
    extract_features, options, dim = build_features(encoder, networks[0], device, skip_last_blocks)
    dtype = network_dtype(encoder)

    def forward(frames: Tensor) -> Tensor:
        return extract_features(normalize_rgb(frames, dtype))

    return I3dStream(forward, dim, options.short_side, options.crop, device)
