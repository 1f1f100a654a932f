"""The clip encoder: CLIP image features of some of a snippet's frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.config.streams import ClipEncoder
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.crops import CLIP_MEAN, CLIP_STD, Array, centre_crop, sample_frames
from clip_ae.encoders.inference import DTYPES, Forward, compile_forward, infer
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.state_dict import load_tensors
from clip_ae.encoders.normalize import normalize_clip

# Libraries whose versions the features' provenance states, in addition to torch and av.
LIBRARIES = ("open_clip_torch",)


@dataclass(frozen=True)
class ClipStream:
    """Frames [T, H, W, 3] to features [dim] of length 1: the mean of the frames' embeddings."""

    forward: Forward
    dim: int
    short_side: int
    num_frames: int
    device: str
    lookahead: int = 0

    def prepare(self, window: Array) -> Array:
        return centre_crop(sample_frames(window, self.num_frames), self.short_side).copy()

    def encode(self, batch: Array) -> NDArray[np.float32]:
        return infer(self.forward, batch, self.device)


def build(encoder: ClipEncoder, networks: Sequence[NetworkWeights], device: str) -> ClipStream:
    """The stream with these weights. Mean and sd of the pixels come from the weights, or are OpenAI's."""
    metadata = networks[0].metadata
    options = parse_dataclass(ClipOptions, metadata["clip"], encoder.weights)
    network = load_tensors(clip.build(options), networks[0].tensors, encoder.weights)
    dtype = DTYPES[encoder.precision]
    tower: Any = network.visual.to(device, dtype)
    embed = compile_forward(tower, encoder)
    mean, std = metadata.get("mean", CLIP_MEAN), metadata.get("std", CLIP_STD)

    def forward(frames: Tensor) -> Tensor:
        embeddings = embed(normalize_clip(frames, mean, std, dtype)).float()
        return normalize(embeddings.unflatten(0, frames.shape[:2]).mean(dim=1), dim=-1)

    return ClipStream(forward, tower.output_dim, clip.get_image_size(network), encoder.frames, device)
