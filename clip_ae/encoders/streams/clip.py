"""The clip encoder: CLIP image features of some frames of a snippet, or of a longer window around it."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn.functional import normalize

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.config.streams import ClipEncoder
from clip_ae.core.timeline import FrameSampling
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.frame_input import METADATA_KEY, read_frame_input
from clip_ae.encoders.frame_stream import FrameStream
from clip_ae.encoders.inference import accelerate, network_dtype
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.state_dict import load_tensors
from clip_ae.encoders.normalize import normalize_images

# Libraries whose versions the features' provenance states, in addition to torch and av.
LIBRARIES = ("open_clip_torch",)


def build_stream(encoder: ClipEncoder, networks: Sequence[NetworkWeights], device: str) -> FrameStream:
    """The stream with these weights: a feature is the mean of the frames' embeddings, scaled to length 1.

    The weights state the input of the network; the demo's own do not, nor do files of earlier versions.
    """
    metadata, dtype = networks[0].metadata, network_dtype(encoder)
    options = parse_dataclass(ClipOptions, metadata["clip"], encoder.weights)
    network = load_tensors(clip.build(options), networks[0].tensors, encoder.weights)
    is_stated = METADATA_KEY in metadata
    frame_input = read_frame_input(metadata, encoder.weights) if is_stated else clip.get_frame_input(options)
    tower: Any = network
    tower.visual.to(device, dtype)
    embed = accelerate(tower.encode_image, tower, encoder)

    def forward(frames: Tensor) -> Tensor:
        embeddings = embed(normalize_images(frames, frame_input.mean, frame_input.std, dtype)).float()
        return normalize(embeddings.unflatten(0, frames.shape[:2]).mean(dim=1), dim=-1)

    dim, sampling = clip.get_embedding_dim(options), FrameSampling(encoder.frames, encoder.window_s)
    return FrameStream(forward, dim, frame_input.size, frame_input.crop, sampling, device)
