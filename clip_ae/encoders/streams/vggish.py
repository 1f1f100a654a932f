"""The vggish encoder: VGGish features of 15600 samples (0.975 s) of sound, centred on a snippet."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.schema import VggishOptions, VggishPcaOptions
from clip_ae.core.config.streams import VggishEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.timeline import SNIPPET_FRAMES, FrameSampling
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.crops import Array
from clip_ae.encoders.inference import Forward, accelerate, infer, network_dtype
from clip_ae.encoders.log_mel import compute_log_mel
from clip_ae.encoders.networks import vggish, vggish_pca
from clip_ae.encoders.networks.state_dict import load_tensors

# Libraries whose versions the features' provenance states, in addition to torch and av.
LIBRARIES = ("torchaudio",)


@dataclass(frozen=True)
class VggishStream:
    """Samples [15600] at 16 kHz to features [dim]."""

    forward: Forward
    dim: int
    device: str
    frame_size: None = None
    sampling: FrameSampling = SNIPPET_FRAMES

    def prepare(self, window: Array) -> Array:
        return compute_log_mel(window)[None]

    def encode(self, batch: Array) -> NDArray[np.float32]:
        return infer(self.forward, batch, self.device)


def build_stream(encoder: VggishEncoder, networks: Sequence[NetworkWeights], device: str) -> VggishStream:
    """The stream with these weights; a second network is the post-processing by PCA."""
    options = parse_dataclass(VggishOptions, networks[0].metadata["vggish"], encoder.weights)
    dtype = network_dtype(encoder)
    network = load_tensors(vggish.build(options), networks[0].tensors, encoder.weights).to(device, dtype)
    embed = accelerate(network.embed, network, encoder)
    steps: list[nn.Module] = [nn.ReLU()] if encoder.relu else []
    if encoder.pca:
        steps.append(_build_pca(encoder.pca, networks[1], network.dim))
    postprocess = nn.Sequential(*steps).to(device)

    def forward(patches: Tensor) -> Tensor:
        features: Tensor = postprocess(embed(patches.to(dtype)).float())
        return features

    return VggishStream(forward, network.dim, device)


def _build_pca(name: str, network: NetworkWeights, dim: int) -> vggish_pca.VggishPca:
    options = parse_dataclass(VggishPcaOptions, network.metadata["vggish_pca"], name)
    if options.dim != dim:
        raise UserError(
            f"weights.{name}.vggish_pca.dim: {options.dim}, but the network's embeddings have {dim} numbers"
        )
    return load_tensors(vggish_pca.build(options), network.tensors, name)
