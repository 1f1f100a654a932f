"""The clip stream: CLIP's image tower on some of a snippet's frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from clip_ae.core.config import ClipEncoder, ClipOptions
from clip_ae.core.typed import read
from clip_ae.encoders.inference import infer
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.fit import fit
from clip_ae.encoders.pixels import CLIP_MEAN, CLIP_STD, centre_crop, clip_input, evenly_placed


@dataclass(frozen=True)
class Clip:
    """Frames [T, H, W, 3] to features [dim] of length 1: the mean of the frames' embeddings."""

    network: nn.Module
    frames: int
    mean: Sequence[float]
    std: Sequence[float]
    device: str
    lookahead: int = 0

    @property
    def dim(self) -> int:
        return int(self.network.visual.output_dim)  # type: ignore[union-attr, arg-type]

    @property
    def short_side(self) -> int:
        return clip.image_size(self.network)

    def prepare(self, window: NDArray[Any]) -> NDArray[np.float32]:
        return clip_input(centre_crop(evenly_placed(window, self.frames), self.short_side), self.mean, self.std)

    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return infer(self._embed, batch, self.device)

    def _embed(self, batch: Tensor) -> Tensor:
        frames: Tensor = self.network.encode_image(batch.flatten(0, 1))  # type: ignore[operator]
        return normalize(frames.unflatten(0, batch.shape[:2]).mean(dim=1), dim=-1)


def build(encoder: ClipEncoder, about: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], device: str) -> Clip:
    network = fit(clip.build(read(ClipOptions, about["clip"], encoder.weights)), tensors, encoder.weights)
    mean, std = about.get("mean", CLIP_MEAN), about.get("std", CLIP_STD)
    return Clip(network.to(device), encoder.frames, mean, std, device)
