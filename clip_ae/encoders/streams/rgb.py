"""The rgb stream: I3D on a snippet's frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config import I3dOptions, RgbEncoder
from clip_ae.core.typed import read
from clip_ae.encoders.inference import infer
from clip_ae.encoders.networks import i3d
from clip_ae.encoders.networks.fit import fit
from clip_ae.encoders.pixels import centre_crop, rgb_input


@dataclass(frozen=True)
class Rgb:
    """Frames [T, H, W, 3] to features [dim]."""

    network: i3d.I3d
    options: I3dOptions
    device: str
    lookahead: int = 0

    @property
    def dim(self) -> int:
        return self.network.dim

    @property
    def short_side(self) -> int:
        return self.options.short_side

    def prepare(self, window: NDArray[Any]) -> NDArray[np.float32]:
        return rgb_input(centre_crop(window, self.options.crop))

    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return infer(self.network.features, batch, self.device)


def build(encoder: RgbEncoder, about: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], device: str) -> Rgb:
    options = read(I3dOptions, about["i3d"], encoder.weights)
    return Rgb(fit(i3d.build(options), tensors, encoder.weights).to(device), options, device)
