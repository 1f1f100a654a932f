"""RAFT flow: a network. Sharper than TV-L1, but the published I3D flow network was not trained on it."""

import torch.nn.functional as F
from torch import Tensor

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.schema import RaftOptions
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import raft
from clip_ae.encoders.networks.state_dict import load_tensors
from clip_ae.encoders.normalize import FlowFunction

ON_DEVICE = True
# Refinement iterations: torchvision's default.
NUM_FLOW_UPDATES = 12
# The network needs sides that are multiples of 8 pixels, and at least 128.
SIDE_MULTIPLE, MIN_SIDE = 8, 128


def build(device: str, network: NetworkWeights, *, compile: bool = False) -> FlowFunction:
    """The flow function with these weights on the device. RAFT is never compiled."""
    options = parse_dataclass(RaftOptions, network.metadata["raft"], "raft")
    model = load_tensors(raft.build(options), network.tensors, str(network.metadata.get("name", "raft"))).to(device)

    def compute_flow(frames: Tensor) -> Tensor:
        images, (left, _, top, _) = _pad_frames(frames)
        first, second = images[:, :-1].flatten(0, 1), images[:, 1:].flatten(0, 1)
        padded_flow = model(first, second, num_flow_updates=NUM_FLOW_UPDATES)[-1]
        height, width = frames.shape[2:4]
        pair_flow = padded_flow[:, :, top : top + height, left : left + width].permute(0, 2, 3, 1)
        flow: Tensor = pair_flow.unflatten(0, (len(frames), -1))
        return flow

    return compute_flow


def _pad_frames(frames: Tensor) -> tuple[Tensor, list[int]]:
    """Frames [B, n, 3, H, W] in -1..1, padded by repeated edges to a size that the network accepts.

    Also the padding in pixels: left, right, top, bottom.
    """
    height, width = frames.shape[2:4]
    missing = [max(-(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE, MIN_SIDE) - side for side in (width, height)]
    padding = [part for m in missing for part in (m // 2, m - m // 2)]
    images = frames.permute(0, 1, 4, 2, 3).float().div(127.5).sub(1)
    padded = F.pad(images.flatten(0, 1), padding, mode="replicate")
    return padded.unflatten(0, images.shape[:2]), padding
