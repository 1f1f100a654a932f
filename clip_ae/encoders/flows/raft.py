"""RAFT flow: a network's, sharper than TV-L1's and not what the published I3D flow network was trained on."""

import torch.nn.functional as F
from torch import Tensor

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.schema import RaftOptions
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import raft
from clip_ae.encoders.networks.state_dict import load_tensors
from clip_ae.encoders.normalize import FlowFunction

ON_DEVICE = True
# Refinements of a flow: torchvision's own number.
NUM_FLOW_UPDATES = 12
# Sides that the network takes: multiples of 8 pixels, at least 128.
SIDE_MULTIPLE, MIN_SIDE = 8, 128


def build(device: str, network: NetworkWeights, *, compile: bool = False) -> FlowFunction:
    options = parse_dataclass(RaftOptions, network.metadata["raft"], "raft")
    model = load_tensors(raft.build(options), network.tensors, str(network.metadata.get("name", "raft"))).to(device)

    def flow(frames: Tensor) -> Tensor:
        images, (left, _, top, _) = _padded(frames)
        firsts, seconds = images[:, :-1].flatten(0, 1), images[:, 1:].flatten(0, 1)
        found = model(firsts, seconds, num_flow_updates=NUM_FLOW_UPDATES)[-1]
        height, width = frames.shape[2:4]
        cut = found[:, :, top : top + height, left : left + width].permute(0, 2, 3, 1)
        pairs: Tensor = cut.unflatten(0, (len(frames), -1))
        return pairs

    return flow


def _padded(frames: Tensor) -> tuple[Tensor, list[int]]:
    """Frames [B, n, 3, H, W] in -1..1 with their edges drawn out to a size that the network takes; by how much."""
    height, width = frames.shape[2:4]
    more = [max(-(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE, MIN_SIDE) - side for side in (width, height)]
    padding = [part for m in more for part in (m // 2, m - m // 2)]
    images = frames.permute(0, 1, 4, 2, 3).float().div(127.5).sub(1)
    drawn_out = F.pad(images.flatten(0, 1), padding, mode="replicate")
    return drawn_out.unflatten(0, images.shape[:2]), padding
