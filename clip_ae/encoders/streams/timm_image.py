"""A stream of image features: a network of timm on some frames of a snippet, or of a longer window around it."""

from collections.abc import Sequence

from torch import Tensor

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.network_options import TimmOptions
from clip_ae.core.config.streams import TimmEncoder
from clip_ae.core.timeline import FrameSampling
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.frame_input import read_frame_input
from clip_ae.encoders.frame_stream import FrameStream
from clip_ae.encoders.inference import accelerate, network_dtype
from clip_ae.encoders.networks import timm_image
from clip_ae.encoders.networks.state_dict import load_tensors
from clip_ae.encoders.normalize import normalize_images

# Libraries whose versions the features' provenance states, in addition to torch and av.
LIBRARIES = ("timm",)


def build_stream(encoder: TimmEncoder, networks: Sequence[NetworkWeights], device: str) -> FrameStream:
    """The stream with these weights: a feature is the mean of the frames' embeddings, not normalised."""
    metadata, name = networks[0].metadata, str(encoder.weights)
    options = parse_dataclass(TimmOptions, metadata["timm"], name)
    frame_input, dtype = read_frame_input(metadata, name), network_dtype(encoder)
    network = load_tensors(timm_image.build(options), networks[0].tensors, name).to(device, dtype)
    embed = accelerate(network, network, encoder)

    def forward(frames: Tensor) -> Tensor:
        embeddings = embed(normalize_images(frames, frame_input.mean, frame_input.std, dtype)).float()
        feature: Tensor = embeddings.unflatten(0, frames.shape[:2]).mean(dim=1)
        return feature

    sampling = FrameSampling(encoder.frames, encoder.window_s)
    return FrameStream(forward, timm_image.get_dim(network), frame_input.size, frame_input.crop, sampling, device)
