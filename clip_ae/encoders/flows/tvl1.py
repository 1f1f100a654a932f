"""TV-L1 flow (Zach et al. 2007): what the published I3D flow network was trained on."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.encoders.flows.pairwise import apply_to_pairs
from clip_ae.encoders.normalize import FlowFunction

ON_DEVICE = False


def build(device: str, *, compile: bool = False) -> FlowFunction:
    """OpenCV knows neither GPUs nor translation."""
    return apply_to_pairs(compute_pair_flow)


def compute_pair_flow(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixels a frame, [H, W, 2] as (x, y), from the first grey image to the second."""
    import cv2

    # Jobs share a machine by processes; one thread each, so that no sum depends on how many there are.
    cv2.setNumThreads(1)
    return np.asarray(cv2.optflow.DualTVL1OpticalFlow.create().calc(first, second, None), np.float32)
