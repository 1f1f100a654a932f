"""The flow stream: I3D on the optical flow between a snippet's frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config import FlowEncoder, I3dOptions
from clip_ae.core.tables import FLOWS, load
from clip_ae.core.typed import read
from clip_ae.encoders.inference import infer
from clip_ae.encoders.networks import i3d
from clip_ae.encoders.networks.fit import fit
from clip_ae.encoders.pixels import Flow, centre_crop, flow_between, flow_input


@dataclass(frozen=True)
class FlowStream:
    """Frames [T + 1, H, W, 3] to features [dim]."""

    network: i3d.I3d
    options: I3dOptions
    flow: Flow
    bound: float
    device: str
    # The last flow goes to the next snippet's first frame.
    lookahead: int = 1

    @property
    def dim(self) -> int:
        return self.network.dim

    @property
    def short_side(self) -> int:
        return self.options.short_side

    def prepare(self, window: NDArray[Any]) -> NDArray[np.float32]:
        # Flow first, crop after: what enters the crop from outside has a flow too.
        return flow_input(centre_crop(flow_between(window, self.flow), self.options.crop), self.bound)

    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return infer(self.network.features, batch, self.device)


def build(
    encoder: FlowEncoder, about: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], device: str
) -> FlowStream:
    options = read(I3dOptions, about["i3d"], encoder.weights)
    network = fit(i3d.build(options), tensors, encoder.weights).to(device)
    return FlowStream(network, options, load(FLOWS[encoder.algorithm]).flow, encoder.bound, device)
