"""I3D as a function from normalised windows to features, for the encoders i3d and i3d_flow."""

from functools import partial

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.schema import I3dOptions
from clip_ae.core.config.streams import StreamEncoder
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.inference import Forward, accelerate, network_dtype
from clip_ae.encoders.networks.i3d import build
from clip_ae.encoders.networks.i3d_inference import inference_network
from clip_ae.encoders.networks.state_dict import load_tensors


def build_features(
    encoder: StreamEncoder, weights: NetworkWeights, device: str, skip_last_blocks: int
) -> tuple[Forward, I3dOptions, int]:
    """The function, the network's geometry, and the length of a feature.

    With `skip_last_blocks`, a feature is the input of the last Inception modules.
    """
    options = parse_dataclass(I3dOptions, weights.metadata["i3d"], encoder.weights)
    # OpenVINO does better with the network as published: it folds and rearranges layers by itself.
    if encoder.backend == "openvino":
        network = load_tensors(build(options), weights.tensors, encoder.weights)
    else:
        network = inference_network(options, weights.tensors, encoder.weights).to(device, network_dtype(encoder))
    forward = (
        partial(network.forward_trunk, num_blocks=skip_last_blocks) if skip_last_blocks else network.extract_features
    )
    return accelerate(forward, network, encoder), options, network.dim
