"""A stream of video features: a network of torchvision on frames of a snippet, or of a longer window around it."""

from collections.abc import Sequence

from torch import Tensor

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.network_options import TorchvisionOptions
from clip_ae.core.config.streams import TorchvisionEncoder
from clip_ae.core.timeline import FrameSampling
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.frame_input import read_frame_input
from clip_ae.encoders.frame_stream import FrameStream
from clip_ae.encoders.inference import accelerate, network_dtype
from clip_ae.encoders.networks import torchvision_video
from clip_ae.encoders.networks.state_dict import load_tensors
from clip_ae.encoders.normalize import normalize_images

# Libraries whose versions the features' provenance states, in addition to torch and av.
LIBRARIES = ("torchvision",)


def build_stream(encoder: TorchvisionEncoder, networks: Sequence[NetworkWeights], device: str) -> FrameStream:
    """The stream with these weights: a feature is the globally pooled input of the network's classifier."""
    metadata, name = networks[0].metadata, str(encoder.weights)
    options = parse_dataclass(TorchvisionOptions, metadata["torchvision"], name)
    torchvision_video.check_num_frames(options, encoder.frames)
    frame_input, dtype = read_frame_input(metadata, name), network_dtype(encoder)
    network = load_tensors(torchvision_video.build(options), networks[0].tensors, name).to(device, dtype)
    extract_features = accelerate(network, network, encoder)

    def forward(frames: Tensor) -> Tensor:
        images = normalize_images(frames, frame_input.mean, frame_input.std, dtype)
        # [B * T, 3, H, W] to [B, 3, T, H, W].
        return extract_features(images.unflatten(0, frames.shape[:2]).transpose(1, 2))

    dim = torchvision_video.get_architecture(options).dim
    sampling = FrameSampling(encoder.frames, encoder.window_s)
    return FrameStream(forward, dim, frame_input.size, frame_input.crop, sampling, device)
