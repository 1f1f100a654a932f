"""An algorithm for two grey images, over batches of frames."""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.encoders.crops import convert_to_grey
from clip_ae.encoders.normalize import FlowFunction

PairFlowFunction = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]


def apply_to_pairs(pair_flow: PairFlowFunction) -> FlowFunction:
    def flow(frames: Tensor) -> Tensor:
        return torch.stack([_flows(video.numpy(), pair_flow) for video in frames])

    return flow


def _flows(frames: NDArray[np.uint8], algorithm: PairFlowFunction) -> Tensor:
    pairs = itertools.pairwise(convert_to_grey(frames))
    return torch.from_numpy(np.stack([algorithm(first, second) for first, second in pairs]))
