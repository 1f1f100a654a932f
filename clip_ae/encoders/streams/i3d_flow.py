"""The i3d_flow encoder: I3D features of the optical flow between a snippet's frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.config.registry import FLOW_ALGORITHMS, load_module
from clip_ae.core.config.streams import I3dFlowEncoder
from clip_ae.core.timeline import FrameSampling
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.crops import Array, centre_crop
from clip_ae.encoders.i3d_features import build_features
from clip_ae.encoders.inference import Forward, infer, network_dtype
from clip_ae.encoders.normalize import FlowFunction, normalize_flow

# Libraries whose versions the features' provenance states, in addition to torch and av.
LIBRARIES = ("opencv-contrib-python-headless", "torchvision")


@dataclass(frozen=True)
class I3dFlowStream:
    """Frames [T + 1, H, W, 3] to features [dim]."""

    compute_flow: FlowFunction
    # Whether the device computes flow, many pairs at once, or the threads that read the videos.
    flow_on_device: bool
    forward: Forward
    dim: int
    frame_size: int
    crop: int
    device: str
    # The last flow needs the first frame of the next snippet.
    sampling: FrameSampling = FrameSampling(lookahead=1)

    def prepare(self, window: Array) -> Array:
        if self.flow_on_device:
            return window.copy()
        flow = self.compute_flow(torch.from_numpy(window)[None])[0].numpy()
        # Crop after the flow: an object that enters the crop from outside then has a flow too.
        return centre_crop(flow, self.crop).copy()

    def encode(self, batch: Array) -> NDArray[np.float32]:
        return infer(self._compute_features, batch, self.device)

    def _compute_features(self, batch: Tensor) -> Tensor:
        if not self.flow_on_device:
            return self.forward(batch)
        flow = self.compute_flow(batch)
        num_snippets, num_pairs = flow.shape[:2]
        cropped = centre_crop(flow.flatten(0, 1), self.crop)
        return self.forward(cropped.unflatten(0, (num_snippets, num_pairs)))


def build_stream(
    encoder: I3dFlowEncoder, networks: Sequence[NetworkWeights], device: str, skip_last_blocks: int = 0
) -> I3dFlowStream:
    """The stream with these weights. With `skip_last_blocks`, a feature is the input of the last Inception modules."""
    extract_features, options, dim = build_features(encoder, networks[0], device, skip_last_blocks)
    dtype = network_dtype(encoder)
    algorithm = load_module(FLOW_ALGORITHMS[encoder.algorithm])

    def forward(flow: Tensor) -> Tensor:
        return extract_features(normalize_flow(flow, encoder.clip_value, dtype))

    compute_flow = algorithm.build(device, *networks[1:], compile=encoder.compile)
    return I3dFlowStream(compute_flow, algorithm.ON_DEVICE, forward, dim, options.short_side, options.crop, device)
