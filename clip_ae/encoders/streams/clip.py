"""The clip stream: CLIP image features of some frames of a snippet, or of a longer window around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.schema import ClipEncoder, ClipOptions
from clip_ae.core.timeline import FrameSampling
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.crops import CLIP_MEAN, CLIP_STD, Array, centre_crop
from clip_ae.encoders.inference import DTYPES, Forward, compile_forward, infer
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.state_dict import load_tensors
from clip_ae.encoders.normalize import normalize_clip

# Libraries whose versions the features' provenance states, in addition to torch and av.
LIBRARIES = ("open_clip_torch",)


@dataclass(frozen=True)
class ClipStream:
    """Frames [n, H, W, 3] to features [dim] of length 1: the mean of the frames' embeddings."""

    forward: Forward
    dim: int
    frame_size: int
    sampling: FrameSampling
    device: str

    def prepare(self, window: Array) -> Array:
        return centre_crop(window, self.frame_size).copy()

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

    sampling = FrameSampling(encoder.frames, encoder.window_s)
    return ClipStream(forward, tower.output_dim, clip.get_image_size(network), sampling, device)
