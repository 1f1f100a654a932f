"""Flow of batches of frames, from an algorithm for two grey images."""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.encoders.crops import convert_to_grey
from clip_ae.encoders.normalize import FlowFunction

# Two grey images [H, W] to flow [H, W, 2].
PairFlowFunction = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]


def apply_to_pairs(compute_pair_flow: PairFlowFunction) -> FlowFunction:
    """A flow function that runs the algorithm on each frame and the next one, on the CPU."""

    def compute_flow(frames: Tensor) -> Tensor:
        return torch.stack([_compute_video_flow(video.numpy(), compute_pair_flow) for video in frames])

    return compute_flow


def _compute_video_flow(frames: NDArray[np.uint8], compute_pair_flow: PairFlowFunction) -> Tensor:
    pairs = itertools.pairwise(convert_to_grey(frames))
    return torch.from_numpy(np.stack([compute_pair_flow(first, second) for first, second in pairs]))
